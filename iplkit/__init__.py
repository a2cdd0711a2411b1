"""iplkit: image-specific prompt learning, from the latent code to the figure in the book."""

__version__ = "0.1.0"
