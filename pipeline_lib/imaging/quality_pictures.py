"""The picture of a quality check: each plane, its verdict and what was found."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pipeline_lib.imaging.contact_sheets import pad_with_white, stack_sheets
from pipeline_lib.imaging.quality import ACCEPTED, REFUSED, WARNED, Verdict
from pipeline_lib.imaging.spans import plane_to_means

SIDE, FRAME, GAP = 240, 4, 8
FONT_SIZE, LINE, CHARACTERS = 12, 17, 38
COLUMNS, MOST_PICTURES = 5, 20
MENDS_WIDTH = 640
COLOURS = {ACCEPTED: (60, 140, 60), WARNED: (220, 140, 0), REFUSED: (200, 30, 30)}
BRIGHTEST, DARKEST, PLACE = (255, 60, 60), (60, 90, 255), (0, 190, 190)
RANGE = (0.1, 99.9)


class Field(Protocol):
    """Planes that can be had by number: an array or an open stack."""

    def __getitem__(self, number: int, /) -> npt.NDArray[Any]:
        """Return a plane (Y, X)."""


def verdicts_to_picture(
    verdicts: Sequence[Verdict], fields: Mapping[str, Field]
) -> npt.NDArray[np.uint8]:
    """Draw the planes of a concept with their verdicts.

    All planes are shown at one grey scale, from the 0.1th to the 99.9th percentile of those shown.
    Pixels at the ends of a field's range are marked where there are enough to warn of, and framed
    is where a finding is to be seen. Below stands what mends the findings. One plane is in memory
    at a time.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Judged planes. Refused ones are shown first, then warned, then accepted ones, at most 20.
    fields : mapping
        Planes (N, Y, X) by source.

    Returns
    -------
    ndarray of uint8
        (Y, X, 3).
    """
    order = [REFUSED, WARNED, ACCEPTED]
    shown = sorted(verdicts, key=lambda verdict: order.index(verdict.word))[:MOST_PICTURES]
    small = [_plane_to_small(one, fields[one.source][one.plane]) for one in shown]
    ranges = np.array([np.percentile(one.counts, RANGE) for one in small])
    low, high = float(ranges[:, 0].min()), float(ranges[:, 1].max())
    high = max(high, low + 1e-9)
    cards = [_card(*both, low, high) for both in zip(shown, small, strict=True)]
    picture = _lay_out(cards)
    mends = _mends_to_text(shown, max(picture.shape[1], MENDS_WIDTH))
    return stack_sheets([picture, mends])


def _mends_to_text(verdicts: Sequence[Verdict], width: int) -> npt.NDArray[np.uint8]:
    """Return what mends the findings, each once, as lines of text."""
    mends = dict.fromkeys(finding.mend for one in verdicts for finding in one.findings)
    characters = width // FONT_SIZE * 2 - 4
    lines = [line for mend in mends for line in textwrap.wrap(f"- {mend}", characters)]
    text = "\n".join(["What to do:", *lines]) if mends else ""
    block = Image.new("RGB", (width, LINE * (len(lines) + 2) if mends else 1), "white")
    font = ImageFont.load_default(size=FONT_SIZE)
    ImageDraw.Draw(block).text((0, 0), text, fill="black", font=font, spacing=3)
    return np.asarray(block)


@dataclass(frozen=True)
class _Small:
    """A plane made smaller: its longer side as it was, counts, and shares of marked pixels."""

    side: int
    counts: npt.NDArray[np.float32]
    marks: tuple[tuple[tuple[int, int, int], npt.NDArray[np.float32]], ...]


def _plane_to_small(verdict: Verdict, plane: npt.NDArray[Any]) -> _Small:
    """Return means of blocks, and which share of each is at an end that its verdict speaks of."""
    side = max(plane.shape)
    factor = max(1, side // SIDE)
    marks = []
    if any(finding.concerns_range for finding in verdict.findings):
        if verdict.figures.at_high_end:
            marks.append((BRIGHTEST, plane_to_means(plane == plane.max(), factor)))
        if verdict.figures.at_low_end:
            marks.append((DARKEST, plane_to_means(plane == plane.min(), factor)))
    return _Small(side, plane_to_means(plane, factor), tuple(marks))


def _card(verdict: Verdict, plane: _Small, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Return one plane in a frame of its verdict's colour, with text below."""
    picture = _small_to_colours(plane, low, high)
    factor = SIDE / plane.side
    shown = SIDE / max(picture.shape[:2])
    width, height = (max(1, round(side * shown)) for side in picture.shape[1::-1])
    small = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
    lines = verdict_to_lines(verdict)
    top = height + 2 * FRAME
    card = Image.new("RGB", (SIDE + 2 * FRAME, top + LINE * len(lines) + GAP), "white")
    card.paste(COLOURS[verdict.word], (0, 0, width + 2 * FRAME, top))
    card.paste(small, (FRAME, FRAME))
    draw = ImageDraw.Draw(card)
    for box in (box for finding in verdict.findings for box in finding.boxes):
        y0, y1, x0, x1 = (FRAME + round(edge * factor) for edge in box)
        draw.rectangle((x0 - 2, y0 - 2, x1 + 1, y1 + 1), outline=PLACE)
    font = ImageFont.load_default(size=FONT_SIZE)
    draw.text((0, top), "\n".join(lines), fill="black", font=font, spacing=3)
    return np.asarray(card)


def _small_to_colours(plane: _Small, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Return a plane in grey, with the colours of its marks."""
    grey = np.clip((plane.counts - low) / (high - low) * 255, 0, 255)
    colours = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    for colour, share in plane.marks:
        colours += share[..., np.newaxis] * (np.array(colour) - colours)
    return colours.astype(np.uint8)


def verdict_to_lines(verdict: Verdict) -> list[str]:
    """Return the text below a plane, cut into lines."""
    word = f"{verdict.word}, overruled" if verdict.overruled else verdict.word
    parts = [f"{verdict.source} [{verdict.plane}]", word]
    parts += [f"- {finding.reason}" for finding in verdict.findings]
    return [line for part in parts for line in textwrap.wrap(part, CHARACTERS)]


def _lay_out(cards: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Return cards in lines of five on white, each line as high as its highest card."""
    lines = [cards[first : first + COLUMNS] for first in range(0, len(cards), COLUMNS)]
    parts = []
    for line in lines:
        height = max(card.shape[0] for card in line)
        padded = [pad_with_white(card, height, card.shape[1] + GAP) for card in line]
        parts.append(np.concatenate(padded, axis=1))
    return stack_sheets(parts)
