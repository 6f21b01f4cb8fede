"""What a tuned decoder costs beside the base model's own, as a page says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_lib.reporting.tables import Table, number

CAPTION = (
    "VAE's cost before and after its decoder was tuned to the training tiles: held-out tiles "
    "through the autoencoder, without camera noise"
)


def cost_to_table(cost: Mapping[str, Any] | None) -> Table | None:
    """Say what the base model's decoder and the tuned one lose of the held-out tiles.

    Parameters
    ----------
    cost : mapping or None
        What the stage `decoder_roundtrip` measured; None where no decoder was tuned.

    Returns
    -------
    Table or None
        A line for each figure; None without a tuned decoder or held-out tiles.
    """
    if cost is None or not cost["after"]["tiles"]:
        return None
    sides = cost["before"], cost["after"]
    rows = [
        [
            "mean absolute change (grey levels)",
            *(number(one["mean_absolute_change"]) for one in sides),
        ],
        ["mean change (grey levels)", *(number(one["mean_grey_change"]) for one in sides)],
        ["peak signal-to-noise ratio (dB)", *(f"{one['psnr_db']['mean']:.2f}" for one in sides)],
    ]
    bands = zip(*(one["power_kept"] for one in sides), strict=True)
    rows += [
        [
            f"power kept at {before['from']:g} to {before['to']:g} cycles per pixel",
            *(number(one["ratio"]) for one in (before, after)),
        ]
        for before, after in bands
    ]
    return Table(CAPTION, ["", "base model's decoder", "tuned decoder"], rows)
