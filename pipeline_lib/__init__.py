"""Brightbooth: synthetic brightfield microscopy images from a handful of real ones."""

import os

__version__ = "0.1.0"

# Threads that wait for each other must not keep their cores busy by waiting: where another program
# wants one of the cores, two threads of torch are then slower than one, by ten times and more. The
# library that torch computes by reads this as it is loaded, which is after this package is.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
