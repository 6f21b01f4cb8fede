"""Brightbooth: synthetic brightfield microscopy images from a handful of real ones."""

__version__ = "0.1.0"
