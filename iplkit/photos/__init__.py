"""The reader's own photo: from a file to a latent, to every domain, and back into the photo."""
