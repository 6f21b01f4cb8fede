"""TIFF in and out, quality checks, splits, intensity mapping and tiling of images."""
