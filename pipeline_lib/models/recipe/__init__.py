"""The recipe of the embedded base model: simulated pictures, autoencoder, denoiser, export."""
