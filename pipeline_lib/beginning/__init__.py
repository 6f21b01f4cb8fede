"""From a folder of images to a configuration: what the files can answer, and what a person must."""
