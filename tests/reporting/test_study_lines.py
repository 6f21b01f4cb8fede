"""The runs of a study as its page compares them."""

from __future__ import annotations

import pandas as pd

from pipeline_lib.reporting.study_lines import StudyRun
from pipeline_lib.reporting.times import Took


def run_of(seed: int, tiles: str) -> StudyRun:
    """Return a run whose card is like that of a training: its settings are among its inputs."""
    inputs = {"model": "base", "concepts": {"cells": tiles}, "settings": {"seed": seed}}
    card = {"base": "toy", "concepts": {}, "provenance": {"inputs": inputs}}
    return StudyRun(f"seed-{seed}", "", pd.DataFrame(), card, Took(60.0, 0.0, "cpu"), {})


def test_another_seed_is_a_repeat_and_other_tiles_are_none() -> None:
    assert run_of(0, "four").inputs() == run_of(1, "four").inputs()
    assert run_of(0, "four").inputs() != run_of(0, "two").inputs()
