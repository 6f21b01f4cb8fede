"""Upscalers: conditioned on a small noisy picture, tuned to a microscope, drawn in tiles."""
