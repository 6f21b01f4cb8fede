"""What is usual among the planes of a concept, which single planes are judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline_lib.imaging.plane_figures import Figures


class Scaled(Protocol):
    """What tells the camera's scale of a plane, or of most: type, power of two, median."""

    @property
    def dtype(self) -> str:
        """Return the type of a pixel."""

    @property
    def common_factor(self) -> int:
        """Return the largest power of two that divides all values."""

    @property
    def level(self) -> float:
        """Return the median."""


@dataclass(frozen=True)
class Scale:
    """The camera's scale of a plane, or of most planes of a concept.

    Of two types or factors that are equally frequent, the one of the earlier plane counts; the
    level is that of the planes of that type and factor.
    """

    dtype: str
    common_factor: int
    level: float


@dataclass(frozen=True)
class Usual:
    """What is usual in a concept: medians of its planes, and the scale of most."""

    sharpness: float | None
    span: float | None
    dtype: str
    common_factor: int
    level: float


def figures_to_usual(figures: Sequence[Figures]) -> Usual:
    """Return what is usual among some planes, at least one."""
    scale = scales_to_usual(figures)
    return Usual(
        _median(one.sharpness for one in figures),
        _median(one.span for one in figures),
        scale.dtype,
        scale.common_factor,
        scale.level,
    )


def scales_to_usual(scales: Sequence[Scaled]) -> Scale:
    """Return the scale of most among some planes, at least one."""
    kinds = [(one.dtype, one.common_factor) for one in scales]
    dtype, factor = _most_frequent(kinds)
    levels = [one.level for one in scales if (one.dtype, one.common_factor) == (dtype, factor)]
    return Scale(dtype, factor, float(np.quantile(levels, 0.5, method="lower")))


def _most_frequent(kinds: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """Return the most frequent type, and its most frequent factor: by chance one is even."""
    [(dtype, _)] = Counter(dtype for dtype, _ in kinds).most_common(1)
    [(factor, _)] = Counter(factor for other, factor in kinds if other == dtype).most_common(1)
    return dtype, factor


def _median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values there are."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
