"""Contact sheets: rows of pictures at one grey scale, with labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pipeline_lib.files import atomic_path

GAP = 4
LABEL_SIZE = 13
LABEL_HEIGHT = 22
PAPER, INK = 255, 0


def images_to_contact_sheet(
    rows: Sequence[tuple[str, npt.NDArray[np.uint8]]], columns: int = 8, scale: int = 1
) -> npt.NDArray[np.uint8]:
    """Lay out labelled rows of pictures; grey levels are shown as they are, never stretched.

    Parameters
    ----------
    rows : sequence of (str, ndarray)
        Label and pictures (N, Y, X) of each row; a row may be empty, and pictures beyond a row's
        width continue on a further line under the same label.
    columns : int
        Pictures on a line.
    scale : int
        Whole-number enlargement; pixels stay square blocks.

    Returns
    -------
    ndarray of uint8
        The sheet (Y, X), white between the pictures.
    """
    blocks = [_row_to_block(label, images, columns, scale) for label, images in rows]
    width = max(block.shape[1] for block in blocks)
    padded = [
        np.pad(block, ((0, 0), (0, width - block.shape[1])), constant_values=PAPER)
        for block in blocks
    ]
    return np.concatenate(padded)


def images_to_small(images: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Return pictures (N, Y, X) as means of as few pixels as make them at most a side wide."""
    factor = max(1, -(-max(images.shape[1:]) // side))
    if factor == 1:
        return images
    height, width = (length // factor for length in images.shape[1:])
    blocks = images[:, : height * factor, : width * factor]
    blocks = blocks.reshape(len(images), height, factor, width, factor)
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def _row_to_block(
    label: str, images: npt.NDArray[np.uint8], columns: int, scale: int
) -> npt.NDArray[np.uint8]:
    """Return a label above lines of pictures."""
    text = text_to_image(label if len(images) else f"{label}: none")
    lines = [images[first : first + columns] for first in range(0, len(images), columns)]
    parts = [text, *(_line(line, columns, scale) for line in lines)]
    width = max(part.shape[1] for part in parts)
    return np.concatenate(
        [
            np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=PAPER)
            for part in parts
        ]
    )


def _line(images: npt.NDArray[np.uint8], columns: int, scale: int) -> npt.NDArray[np.uint8]:
    """Return pictures side by side, as wide as a full line."""
    large = images.repeat(scale, axis=1).repeat(scale, axis=2)
    framed = np.pad(large, ((0, 0), (0, GAP), (0, GAP)), constant_values=PAPER)
    line = np.concatenate(list(framed), axis=1)
    missing = columns * framed.shape[2] - line.shape[1]
    return np.pad(line, ((0, 0), (0, missing)), constant_values=PAPER)


def text_to_image(text: str) -> npt.NDArray[np.uint8]:
    """Return a line of black text on white, (`LABEL_HEIGHT`, X)."""
    font = _font()
    width = int(font.getlength(text)) + 2 * GAP
    image = Image.new("L", (width, LABEL_HEIGHT), PAPER)
    ImageDraw.Draw(image).text((GAP, GAP // 2), text, fill=INK, font=font)
    return np.asarray(image)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """Return matplotlib's font, which has the letters of names and units; Pillow's lacks them."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, LABEL_SIZE)


def write_png(path: Path | str, image: npt.NDArray[Any]) -> None:
    """Write an 8-bit picture (Y, X) or (Y, X, 3) as PNG, atomically."""
    with atomic_path(path) as beside:
        Image.fromarray(image).save(beside, format="PNG")
