"""Detectors trained on real and synthetic images, and whether the synthetic ones help them."""
