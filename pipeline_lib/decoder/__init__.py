"""Decoders tuned to a microscope: what they learn from, how, which weights are kept."""
