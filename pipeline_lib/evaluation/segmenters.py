"""Which segmenter the settings ask for."""

from __future__ import annotations

from typing import Literal

from pipeline_lib.evaluation.cellpose_segmenter import load_cellpose_segmenter
from pipeline_lib.evaluation.objects import Images, Segmenter, fit_segmenter


def name_to_segmenter(name: Literal["contrast", "cellpose"], images: Images) -> Segmenter:
    """Make the segmenter of a comparison.

    Parameters
    ----------
    name : str
        ``contrast`` or ``cellpose``.
    images : ndarray
        (N, Y, X) uint8, the held-out tiles, N at least 1: what the segmenter by contrast is fitted
        to.

    Returns
    -------
    Segmenter
        For all sets of the comparison.

    Raises
    ------
    UserError
        If cellpose is asked for and cannot be had.
    """
    return load_cellpose_segmenter() if name == "cellpose" else fit_segmenter(images)
