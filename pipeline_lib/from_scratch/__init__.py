"""Unconditional diffusion models trained from scratch, to compare DreamBooth with."""
