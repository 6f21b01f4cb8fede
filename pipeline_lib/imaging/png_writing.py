"""Grey images as PNG files with their scale and their origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline_lib.settings.base import UserError

PNG_TYPES = ("uint8", "uint16")
MICROMETRES_IN_INCH = 25_400
DESCRIPTION = "Description"


def write_png_image(
    path: Path | str,
    image: npt.NDArray[Any],
    pixel_size_um: float | None,
    provenance: dict[str, Any],
) -> None:
    """Write a grey image as PNG, straight to `path`, as `write_image` writes OME-TIFF.

    Parameters
    ----------
    path : Path or str
        File to write.
    image : ndarray
        (Y, X), of 8 or 16 bits without sign.
    pixel_size_um : float or None
        Width of a pixel in micrometres, kept as resolution. PNG counts whole pixels a metre, which
        is exact to a millionth at a micrometre. None leaves it unknown.
    provenance : dict
        JSON-able values about the image's origin, among them ``synthetic``, kept in the text
        `Description`.

    Raises
    ------
    UserError
        If the image is not (Y, X), or of another type.
    """
    if image.ndim != 2 or image.dtype not in PNG_TYPES:
        raise UserError(
            f"PNG holds grey images Y,X of 8 or 16 bits without sign, found {image.dtype} "
            f"{image.shape}; set `release: format: ome-tiff`, or `release: scale: 8bit`"
        )
    text = PngInfo()
    text.add_text(DESCRIPTION, json.dumps(provenance, sort_keys=True))
    scale = {} if pixel_size_um is None else {"dpi": (MICROMETRES_IN_INCH / pixel_size_um,) * 2}
    Image.fromarray(np.ascontiguousarray(image)).save(path, format="PNG", pnginfo=text, **scale)
