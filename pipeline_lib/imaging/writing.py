"""Grey images as OME-TIFF files with their scale and their origin."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import uuid
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from pipeline_lib.imaging.ome import text_to_ome
from pipeline_lib.settings.base import UserError

MICROMETRES_IN_CENTIMETRE = 10_000
OME_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def write_image(
    path: Path | str,
    image: npt.NDArray[Any],
    pixel_size_um: float | None,
    provenance: dict[str, Any],
) -> None:
    """Write a grey image as OME-TIFF, whose bytes `image_to_tiff` makes.

    Meant for thousands of files: it writes straight to `path`, so the folder that holds them is
    what the caller makes atomic.
    """
    Path(path).write_bytes(image_to_tiff(image, pixel_size_um, provenance))


def image_to_tiff(
    image: npt.NDArray[Any], pixel_size_um: float | None, provenance: dict[str, Any]
) -> bytes:
    """Return a grey image as the bytes of an OME-TIFF; the same arguments give the same.

    Parameters
    ----------
    image : ndarray
        (Y, X): 8-bit, or of the camera's own type and scale.
    pixel_size_um : float or None
        Width of a pixel in micrometres, kept in the OME metadata and, for programs that read no
        OME, as resolution per centimetre. None leaves it unknown.
    provenance : dict
        JSON-able values about the image's origin, among them ``synthetic``, by which
        `read_provenance` knows them.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    UserError
        If the image is not (Y, X), or of a type that OME has not.
    """
    _check(image)
    text = json.dumps(provenance, sort_keys=True)
    metadata = {"axes": "YX", "Description": text, "UUID": _uuid(image, text)}
    if pixel_size_um is not None:
        sides = ("PhysicalSizeX", "PhysicalSizeY")
        metadata |= dict.fromkeys(sides, pixel_size_um)
        metadata |= {f"{side}Unit": "µm" for side in sides}
    file = io.BytesIO()
    tifffile.imwrite(file, image, ome=True, metadata=metadata, **_tags(pixel_size_um))
    return file.getvalue()


def write_plain_image(
    path: Path | str,
    image: npt.NDArray[Any],
    pixel_size_um: float | None,
    provenance: dict[str, Any],
    compression: str | None = None,
) -> None:
    """Write a grey image as TIFF without OME's metadata, otherwise as `write_image` does.

    Its provenance is the JSON text of the tag ImageDescription. `compression` is one of tifffile's,
    without loss.
    """
    _check(image)
    text, tags = json.dumps(provenance, sort_keys=True), _tags(pixel_size_um)
    tifffile.imwrite(path, image, description=text, metadata=None, compression=compression, **tags)


def _check(image: npt.NDArray[Any]) -> None:
    """Refuse what is not grey, or of a type that OME has not."""
    if image.ndim != 2 or image.dtype not in OME_TYPES:
        raise UserError(
            "an image is written as Y,X of whole numbers of 8 to 32 bits or of real ones of 32 or "
            f"64, found {image.dtype} {image.shape}"
        )


def _tags(pixel_size_um: float | None) -> dict[str, Any]:
    """Return the tags of a grey image: how grey is meant, and its resolution if it is known."""
    tags: dict[str, Any] = {"photometric": "minisblack"}
    if pixel_size_um is not None:
        density = MICROMETRES_IN_CENTIMETRE / pixel_size_um
        tags |= {"resolution": (density, density), "resolutionunit": "CENTIMETER"}
    return tags


def _uuid(image: npt.NDArray[Any], text: str) -> str:
    """Return the identifier that OME wants of a file, a function of its contents."""
    digest = hashlib.sha256(np.ascontiguousarray(image).tobytes() + text.encode())
    return str(uuid.UUID(bytes=digest.digest()[:16], version=5))


def read_provenance(path: Path | str | BinaryIO) -> dict[str, Any]:
    """Return the provenance that `write_image` or `write_plain_image` kept in a file.

    Parameters
    ----------
    path : Path, str or binary file
        File to read.

    Returns
    -------
    dict
        The values, among them ``synthetic``.

    Raises
    ------
    UserError
        If the file holds none.
    """
    with tifffile.TiffFile(path) as tiff:
        ome = text_to_ome(tiff.ome_metadata)
        text = ome.description if ome else tiff.pages.first.description
    with contextlib.suppress(ValueError):
        told = json.loads(text or "")
        if "synthetic" in told:  # others describe their files in JSON, too
            return told
    raise UserError(f"{path} holds no provenance: this workflow did not write it")
