"""Speech features to motion: diffusion transformer, sampler, data preparation and training."""
