"""Simulated fields of cells of one microscope, with their true outlines."""

from __future__ import annotations

from functools import cache

import numpy as np

from pipeline_lib.optics import draw_scene_settings, picture_to_8bit, simulate_picture


@cache
def draw_scenes(kind: str, microscope: int, count: int = 5, side: int = 128):
    """Return pictures (N, Y, X) of 8 bits and their labels, as one microscope sees them."""
    settings = draw_scene_settings((31, microscope), kind, (side, side), illumination="brightfield")
    seen = [simulate_picture((8, microscope, number), settings) for number in range(count)]
    return np.stack([picture_to_8bit(one) for one in seen]), [one.labels for one in seen]


def true_overlaps(labels, truth):
    """Return the intersection over union of each object with its likest true one, pair by pair."""
    return np.array(
        [
            max(
                (
                    np.sum((labels == one) & (truth == other))
                    / np.sum((labels == one) | (truth == other))
                    for other in np.unique(truth[(labels == one) & (truth > 0)])
                ),
                default=0.0,
            )
            for one in range(1, labels.max() + 1)
        ]
    )
