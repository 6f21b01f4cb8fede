"""What pixels are, as hashes: whatever their file says beside them."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.stacks import PlaneSource


def pixels_to_sha256(image: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of an image's pixels, row by row."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def stack_to_sha256(stack: PlaneSource) -> str:
    """Return the SHA-256 of a stack's shape, type and pixels, whatever its file says beside them.

    Parameters
    ----------
    stack : ndarray or other source of planes
        (N, Y, X), taken plane by plane.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    digest = hashlib.sha256(f"{np.dtype(stack.dtype).str} {tuple(stack.shape)} ".encode())
    for plane in stack:
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()
