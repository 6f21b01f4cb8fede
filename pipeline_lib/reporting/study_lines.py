"""The runs of a study and their concepts, as its page compares them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline_lib.files import value_to_sha256
from pipeline_lib.reporting.tables import Measured, metrics_to_measured, value_to_rows
from pipeline_lib.reporting.times import SECONDS_IN_MINUTE, Took
from pipeline_lib.reporting.verdicts import HEADLINE_METRIC
from pipeline_lib.settings.from_scratch import FROM_SCRATCH
from pipeline_lib.settings.training_keys import SHAPE_NO_WEIGHT

SEED, METHOD = "seed", "method"
BASES = ("base",)
WORDS_OF_CONCEPT = ("noun", "modality", "identifier", "prompt", "class_prompt")
FIELDS_WORDS = "training images (independent fields of the microscope)"
TILES_WORDS = "training tiles"


@dataclass(frozen=True)
class StudyRun:
    """A run of the study, opened.

    Attributes
    ----------
    name, link : str
        Of the run, and the path of its page, relative to the study's.
    metrics : DataFrame
        The table of metrics.csv.
    card : mapping
        brightbooth.json of the trained model.
    took : Took
        Time of its training.
    held_out : mapping
        SHA-256 of the held-out tiles' pixels, by concept.
    """

    name: str
    link: str
    metrics: pd.DataFrame
    card: Mapping[str, Any]
    took: Took
    held_out: Mapping[str, str]

    def settings(self) -> dict[str, str]:
        """Return base model and settings of the training as texts by dotted key."""
        settings = {"base": self.card["base"], **self.card["settings"]["training"]}
        return dict(value_to_rows(settings))

    def shaping(self) -> dict[str, str]:
        """Return what shapes the weights as texts by dotted key, without seed and images.

        Settings, and the words of each concept.
        """
        concepts = {
            name: {key: one.get(key) for key in WORDS_OF_CONCEPT}
            for name, one in self.card["concepts"].items()
        }
        told = self.settings() | dict(value_to_rows(concepts))
        return {key: text for key, text in told.items() if key not in {SEED, *SHAPE_NO_WEIGHT}}

    def inputs(self) -> str:
        """Return a hash of the files that it was trained on and starts from, and its decoders.

        Settings stand among a training's inputs, too, its seed with them: `shaping` has these.
        """
        inputs = self.card.get("provenance", {}).get("inputs", {})
        files = {name: one for name, one in inputs.items() if name != "settings"}
        return value_to_sha256([files, self.card.get("decoders")])

    def datasets(self) -> str:
        """Return the names of its datasets."""
        return ", ".join(one.get("dataset", "") for one in self.card["concepts"].values())


@dataclass(frozen=True)
class Line:
    """A run and one of its concepts."""

    whole: StudyRun
    concept: str

    @property
    def run(self) -> str:
        """The run's name."""
        return self.whole.name

    @property
    def metrics(self) -> pd.DataFrame:
        """The run's table of metrics."""
        return self.whole.metrics

    @property
    def held_out(self) -> str:
        """What tells the concept's held-out tiles from others."""
        return self.whole.held_out[self.concept]

    def tiles(self) -> float:
        """Return the number of training tiles."""
        return float(self.whole.card["concepts"][self.concept]["tiles"])

    def fields(self) -> float:
        """Return the number of independent training fields, NaN where nothing says it."""
        counted = metrics_to_measured(self.metrics, self.concept, "copy_share", "none", "train")
        return float(counted["tuned"].fields) if "tuned" in counted else float("nan")

    def minutes(self) -> float:
        """Return the minutes of the run's training, NaN where they are unknown."""
        return self.whole.took.seconds / SECONDS_IN_MINUTE


def varied_settings(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the keys whose values are not the same in all runs.

    Runs from scratch have other settings than those of DreamBooth: beside the method, what varies
    within either kind is told.

    Parameters
    ----------
    settings : sequence of mapping
        Text by key, one mapping for each run.

    Returns
    -------
    list of str
        In the order of first appearance.
    """
    kinds = [
        [one for one in settings if (one.get(METHOD) == FROM_SCRATCH) == scratch]
        for scratch in (False, True)
    ]
    keys = dict.fromkeys(key for one in settings for key in one)
    varied = {key for kind in kinds for key in keys if len({one.get(key, "") for one in kind}) > 1}
    if all(kinds):
        varied |= {METHOD} | {key for key in BASES if len({one.get(key) for one in settings}) > 1}
    return [key for key in keys if key in varied]


def headline_of(line: Line, extractor: str) -> dict[str, Measured]:
    """Return the headline distance of a line by set."""
    return metrics_to_measured(line.metrics, line.concept, HEADLINE_METRIC, extractor)


def counted_in(lines: Sequence[Line]) -> tuple[str, Callable[[Line], float]]:
    """Return what a concept's training images are counted in, and the count of a line."""
    fields = {line.fields() for line in lines}
    more_fields = all(map(math.isfinite, fields)) and len(fields) > 1
    return (FIELDS_WORDS, Line.fields) if more_fields else (TILES_WORDS, Line.tiles)
