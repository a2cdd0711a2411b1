"""Networks that measure: bytes in, named layers out. The world's own, and the papers' from a reader's files."""
