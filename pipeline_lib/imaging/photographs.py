"""PNG and JPEG files, which hold 8 or 16 bits and no scale, to samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from pipeline_lib.settings.base import UserError

PNG_MARK = b"\x89PNG"
JPEG_MARK = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"


def read_photograph(path: Path, mark: bytes) -> tuple[npt.NDArray[Any], str]:
    """Return the samples of a PNG or JPEG file, and what is to be said of it.

    Parameters
    ----------
    path : Path
        The file.
    mark : bytes
        Its first four bytes.

    Returns
    -------
    ndarray
        (Y, X, S).
    str
        Why it is no camera data.

    Raises
    ------
    UserError
        If it is damaged or truncated.
    """
    name = "PNG" if mark == PNG_MARK else "JPEG"
    samples = _decode(path.read_bytes(), name)
    reason = "lost detail to compression" if name == "JPEG" else "may have been a JPEG before"
    warning = f"a {name} file is no camera data: it has no scale and {reason}"
    return samples if samples.ndim == len("YXS") else samples[..., np.newaxis], warning


def _decode(data: bytes, name: str) -> npt.NDArray[Any]:
    """Return the samples of PNG or JPEG data, (Y, X) or (Y, X, S)."""
    if name == "JPEG" and JPEG_END not in data[-64:]:
        raise UserError("the JPEG file is truncated; copy it again")
    try:
        return imagecodecs.png_decode(data) if name == "PNG" else imagecodecs.jpeg_decode(data)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise UserError(
            f"the {name} file is damaged or truncated ({error}); copy it again"
        ) from error
