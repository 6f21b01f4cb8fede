"""Images and label images as files, the same for real and synthetic ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline_lib.imaging.png_writing import DESCRIPTION, MICROMETRES_IN_INCH
from pipeline_lib.imaging.writing import MICROMETRES_IN_CENTIMETRE

Format = Literal["png", "tiff"]
SUFFIXES: dict[Format, str] = {"png": ".png", "tiff": ".tif"}


def write_labelled_image(
    path: Path,
    image: npt.NDArray[np.uint8],
    form: Format,
    pixel_size_um: float | None,
    told: dict[str, Any],
) -> None:
    """Write an image, straight to `path`.

    Parameters
    ----------
    path : Path
        File to write.
    image : ndarray
        (Y, X) uint8.
    form : str
        ``png`` or ``tiff``; the same for all images of an export, so that no detector learns which
        format the synthetic ones have.
    pixel_size_um : float or None
        Width of a pixel in micrometres, kept as resolution; None leaves it unknown.
    told : dict
        JSON-able values, among them ``synthetic``; the same keys for all images.
    """
    if form == "tiff":
        _write_tiff(path, image, pixel_size_um, told)
        return
    text = PngInfo()
    text.add_text(DESCRIPTION, json.dumps(told, sort_keys=True))
    scale = {} if pixel_size_um is None else {"dpi": (MICROMETRES_IN_INCH / pixel_size_um,) * 2}
    Image.fromarray(np.ascontiguousarray(image)).save(path, format="PNG", pnginfo=text, **scale)


def write_label_image(
    path: Path,
    labels: npt.NDArray[np.uint16],
    pixel_size_um: float | None,
    told: dict[str, Any],
) -> None:
    """Write a label image (Y, X) of 16 bits as TIFF that Fiji, napari and QuPath open.

    Its description is JSON of `told`; `imaging.writing.read_provenance` reads it.
    """
    _write_tiff(path, labels, pixel_size_um, told, compression="zlib")


def _write_tiff(
    path: Path,
    pixels: npt.NDArray[Any],
    pixel_size_um: float | None,
    told: dict[str, Any],
    **options: Any,
) -> None:
    """Write a grey TIFF with its description as JSON."""
    if pixel_size_um is not None:
        density = MICROMETRES_IN_CENTIMETRE / pixel_size_um
        options |= {"resolution": (density, density), "resolutionunit": "CENTIMETER"}
    text = json.dumps(told, sort_keys=True)
    tifffile.imwrite(
        path, pixels, photometric="minisblack", description=text, metadata=None, **options
    )
