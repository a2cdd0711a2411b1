"""The whole book as one PDF: the built pages in their order, printed by a browser that most people have."""
