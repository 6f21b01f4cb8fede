"""Which run a study's page says to use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas
import pytest

from pipeline_lib.reporting import study_choice
from pipeline_lib.reporting.repeats import Repeated
from pipeline_lib.reporting.study_choice import (
    ALONE,
    Candidate,
    candidates_to_sentence,
    lines_to_choice_sentences,
)
from pipeline_lib.reporting.study_lines import Line
from pipeline_lib.reporting.tables import Measured

FAR = Candidate("far", 0.2, 0.0)


@pytest.mark.parametrize(
    ("copies", "ends"),
    [
        (
            0.0,
            "smallest distance, 0.1, of 3 runs, and no copy of a training image was found: "
            "use this one.",
        ),
        (
            0.125,
            "but 12.5 % of its images are copies of training images: use run far, the nearest "
            "without a copy (0.2).",
        ),
        (math.nan, "of 3 runs; whether it copies training images was not found out."),
    ],
)
def test_the_nearest_run_is_named_unless_it_copies(copies: float, ends: str) -> None:
    candidates = [Candidate("near", 0.1, copies), Candidate("farthest", 0.3, 0.0), FAR]
    assert candidates_to_sentence("cells", "Distance", candidates).endswith(ends)


def test_where_all_copy_none_is_named() -> None:
    candidates = [Candidate("near", 0.1, 0.5), Candidate("unknown", 0.2, math.nan)]
    said = candidates_to_sentence("cells", "Distance", candidates)
    assert "50 % of its images are copies" in said and "use run" not in said
    assert said.endswith("no run is known to have none: train less, or on more images.")


@dataclass(frozen=True)
class Run:
    """A run as far as its choice looks at it."""

    name: str
    metrics: pandas.DataFrame
    held_out: dict[str, str]


def told(monkeypatch: pytest.MonkeyPatch, repeats: int, **tiles: str) -> list[str]:
    """Return what is said of runs with these held-out tiles, whose autoencoders cost otherwise."""
    columns = ("concept", "metric", "extractor", "set", "reference", "value")
    nothing = pandas.DataFrame(columns=columns)
    runs = [Run(name, nothing, {"cells": held_out}) for name, held_out in tiles.items()]
    lines = [Line(run, "cells") for run in runs]  # type: ignore[arg-type]
    sets = {
        name: {"tuned": Measured(0.1 + number, n_reference=9), "vae": Measured(0.02 + number)}
        for number, name in enumerate(tiles)
    }
    monkeypatch.setattr(study_choice, "headline_of", lambda line, _: sets[line.run])
    groups = [Repeated("", 5, (0.1,) * repeats)]
    monkeypatch.setattr(study_choice, "lines_to_repeats", lambda *_: groups)
    return lines_to_choice_sentences(lines, "x", "Distance")


def test_a_run_is_named_only_among_those_with_the_same_held_out_tiles(monkeypatch) -> None:
    """Numbers of training fields, base models and camera noise may differ."""
    compared = told(monkeypatch, 1, first="five fields", second="five fields")
    assert "run first has the smallest distance" in compared[0] and compared[1:] == [ALONE]
    apart = told(monkeypatch, 1, first="five fields", second="other fields")
    assert "distances do not say which to use" in apart[0] and "smallest" not in apart[0]


def test_of_repeated_settings_the_luckiest_run_is_not_named(monkeypatch) -> None:
    assert told(monkeypatch, 2, first="five fields", second="five fields") == []
    assert told(monkeypatch, 1, alone="five fields") == []
