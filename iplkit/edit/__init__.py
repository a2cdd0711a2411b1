"""Edits of a code: what moves in the picture when something moves in the latent space."""
