"""Labels of images, for training detectors: objects, how sure they are, and others' formats."""
