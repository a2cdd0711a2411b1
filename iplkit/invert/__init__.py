"""From a picture to a latent: optimisation, encoders, alignment, latent files, and the studies of Image2StyleGAN."""
