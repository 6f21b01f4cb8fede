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
from pipeline_lib.imaging.spans import plane_to_means

GAP = 4
LABEL_SIZE = 13
LABEL_HEIGHT = 22
PAPER, INK = 255, 0


def images_to_contact_sheet(
    rows: Sequence[tuple[str, npt.NDArray[np.uint8]]],
    columns: int = 8,
    scale: int = 1,
    packed: bool = False,
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
    packed : bool
        Whether short rows stand beside each other, as many as fit into the width of `columns`.

    Returns
    -------
    ndarray of uint8
        The sheet (Y, X), white between the pictures.
    """
    blocks = [_row_to_block(label, images, columns, scale, packed) for label, images in rows]
    if packed:
        width = columns * max(images.shape[2] * scale + GAP for _, images in rows)
        blocks = _pack(blocks, width)
    return stack_sheets(blocks)


def stack_sheets(sheets: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Return sheets (Y, X) or (Y, X, 3) below each other, white beside the narrower ones."""
    width = max(sheet.shape[1] for sheet in sheets)
    return np.concatenate([pad_with_white(sheet, sheet.shape[0], width) for sheet in sheets])


def _pack(blocks: Sequence[npt.NDArray[np.uint8]], width: int) -> list[npt.NDArray[np.uint8]]:
    """Return blocks side by side, in their order, as many on a line as fit into a width."""
    lines: list[list[npt.NDArray[np.uint8]]] = []
    for block in blocks:
        if lines and sum(one.shape[1] for one in lines[-1]) + block.shape[1] <= width:
            lines[-1].append(block)
        else:
            lines.append([block])
    return [
        np.concatenate(
            [pad_with_white(one, max(b.shape[0] for b in line), one.shape[1]) for one in line],
            axis=1,
        )
        for line in lines
    ]


def pad_with_white(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return an image (Y, X) or (Y, X, 3) with white below and to its right."""
    sides = [(0, height - image.shape[0]), (0, width - image.shape[1])]
    return np.pad(image, [*sides, *[(0, 0)] * (image.ndim - 2)], constant_values=PAPER)


def images_to_small(images: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Return pictures (N, Y, X) as means of as few pixels as make them at most a side wide."""
    factor = max(1, -(-max(images.shape[1:]) // side))
    if factor == 1:
        return images
    return np.rint([plane_to_means(image, factor) for image in images]).astype(np.uint8)


def _row_to_block(
    label: str, images: npt.NDArray[np.uint8], columns: int, scale: int, packed: bool
) -> npt.NDArray[np.uint8]:
    """Return a label above lines of pictures, each as wide as a full one unless it is packed."""
    text = text_to_image(label if len(images) else f"{label}: none")
    lines = [images[first : first + columns] for first in range(0, len(images), columns)]
    places = min(columns, len(images)) if packed else columns
    return stack_sheets([text, *(_line(line, places, scale) for line in lines)])


def _line(images: npt.NDArray[np.uint8], places: int, scale: int) -> npt.NDArray[np.uint8]:
    """Return pictures side by side, with white where places are left."""
    large = images.repeat(scale, axis=1).repeat(scale, axis=2)
    framed = np.pad(large, ((0, 0), (0, GAP), (0, GAP)), constant_values=PAPER)
    line = np.concatenate(list(framed), axis=1)
    return pad_with_white(line, line.shape[0], places * framed.shape[2])


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
