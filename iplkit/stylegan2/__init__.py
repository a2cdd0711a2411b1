"""StyleGAN2: generator, discriminator, style space and checkpoints."""
