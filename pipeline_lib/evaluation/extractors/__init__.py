"""Feature extractors: mapped 8-bit images to one feature vector each, built in and as plug-ins."""
