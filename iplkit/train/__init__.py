"""How every shipped model came to be: named phases with seeds, resumable, one file a model."""
