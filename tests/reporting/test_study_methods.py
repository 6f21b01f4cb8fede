"""Methods side by side: names, colours, and charts of planted values."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from pipeline_lib.reporting.figures import COLOURS
from pipeline_lib.reporting.study_lines import varied_settings
from pipeline_lib.reporting.study_methods import (
    MARKS,
    WORDS,
    Placed,
    card_to_method,
    method_to_colour,
    methods_to_png,
)


@pytest.mark.parametrize(
    ("training", "method"),
    [
        ({}, "DreamBooth"),
        ({"method": "lora"}, "DreamBooth, LoRA"),
        ({"method": "from_scratch", "space": "pixels"}, "from scratch, pixels"),
        ({"method": "from_scratch", "space": "latents"}, "from scratch, latents"),
    ],
)
def test_methods_have_names(training: dict, method: str) -> None:
    assert card_to_method({"settings": {"training": training}}) == method


def test_every_method_has_a_colour_and_a_marker_of_its_own() -> None:
    assert set(WORDS.values()) == set(MARKS)
    assert len({method_to_colour(method) for method in MARKS}) == len(MARKS)
    assert len({marker for _, marker in MARKS.values()}) == len(MARKS)


def pixels_of(png: bytes, colour: str) -> np.ndarray:
    """Return rows and columns of a colour, (2, N)."""
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    apart = np.abs(picture - ImageColor.getrgb(colour)).max(axis=2)
    found = np.argwhere(apart < 12).T
    return found[:, found[0] > 0.15 * len(picture)]  # below the legend


def test_each_method_is_drawn_where_it_lies() -> None:
    low = [Placed("DreamBooth", at, 0.1) for at in (1, 4)]
    high = [Placed("from scratch, pixels", at, 0.9) for at in (1, 4)]
    panel = ("Distance", "tiles", [*low, *high])
    png = methods_to_png([panel, panel], 2)
    blue, amber = (pixels_of(png, COLOURS[name])[0].mean() for name in ("tuned", "pixels"))
    assert amber < blue  # rows count downwards


def test_settings_of_either_kind_vary_by_themselves() -> None:
    tuned = [{"method": "full", "steps": "600", "lora_rank": "16", "seed": str(k)} for k in (0, 1)]
    scratch = [{"method": "from_scratch", "steps": steps, "patch": "4"} for steps in ("1", "1")]
    assert varied_settings(tuned) == ["seed"]
    assert varied_settings([*tuned, *scratch]) == ["method", "seed"]
    scratch[1]["steps"] = "2"
    assert varied_settings([*tuned, *scratch]) == ["method", "steps", "seed"]
    assert varied_settings([tuned[0], tuned[0] | {"method": "lora", "steps": "7"}]) == [
        "method",
        "steps",
    ]
