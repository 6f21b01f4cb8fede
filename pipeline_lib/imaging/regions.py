"""Regions of fields, read when they are asked for, with even light where a dataset wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.reading import open_field
from pipeline_lib.imaging.splitting import SplitRow, row_to_name
from pipeline_lib.imaging.stacks import PlaneSource
from pipeline_lib.imaging.transmittance import blank_to_transmittance, fit_to_transmittance
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.light import TransmittanceChoice
from pipeline_lib.settings.reading import ReadingSettings


class Field(Protocol):
    """Planes of which parts can be had: an array (N, Y, X) or an open stack."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N, Y, X."""

    def __getitem__(self, index: tuple[int, slice, slice], /) -> npt.NDArray[Any]:
        """Return a part of a plane."""


class Regions(Sequence[npt.NDArray[Any]]):
    """Regions (Y, X) of planes in camera counts, one in memory at a time.

    Parameters
    ----------
    fields : mapping
        Planes by source.
    rows : sequence of SplitRow
        The regions.
    transmittance : str
        `none`, `fit` or `blank`, as in the dataset's settings.
    blank : ndarray, optional
        The blank field (Y, X) for `blank`.
    """

    def __init__(
        self,
        fields: Mapping[str, Field],
        rows: Sequence[SplitRow],
        transmittance: TransmittanceChoice = "none",
        blank: npt.NDArray[Any] | None = None,
    ) -> None:
        self.fields, self.rows = fields, rows
        self.transmittance, self.blank = transmittance, blank

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> npt.NDArray[Any]:  # type: ignore[override]
        row = self.rows[number]
        field = self.fields[row.source]
        counts = field[row.plane, row.y0 : row.y1, row.x0 : row.x1]
        if self.transmittance == "fit":
            return fit_to_transmittance(counts, row_to_name(row))
        if self.blank is not None:
            box = (row.y0, row.y1, row.x0, row.x1)
            return blank_to_transmittance(
                counts, self.blank, box, field.shape[1:], row_to_name(row)
            )
        return counts


def read_blank(path: Path, reading: ReadingSettings) -> npt.NDArray[np.float64]:
    """Return the mean over the planes of a raw file that shows an empty field.

    Parameters
    ----------
    path : Path
        The file.
    reading : ReadingSettings
        How to read it.

    Returns
    -------
    ndarray of float64
        (Y, X), camera counts.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        with open_field(path, reading) as field:
            return planes_to_mean(field.planes)
    except UserError as error:
        raise UserError(f"the blank field {path}: {error}") from None


def planes_to_mean(planes: PlaneSource) -> npt.NDArray[np.float64]:
    """Return the mean (Y, X) of planes, of which one is in memory at a time."""
    total = np.zeros(planes.shape[1:])
    for plane in planes:
        total += plane
    return total / planes.shape[0]
