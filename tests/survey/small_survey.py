"""A small survey in memory, and answers to it as the page writes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline_lib.settings.survey import SurveySettings, SurveyStage
from pipeline_lib.survey.answers import COLUMNS, Answer, check_of_answer
from pipeline_lib.survey.commitments import images_to_secret
from pipeline_lib.survey.keys import SurveyKey, trials_to_key
from pipeline_lib.survey.pages import survey_to_page
from pipeline_lib.survey.pictures import trial_to_pngs
from pipeline_lib.survey.trials import TilePlaces, images_to_trials, trials_to_notes

SIDE = 16


def noise(count: int, seed: int, side: int = SIDE) -> np.ndarray:
    """Draw images of noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def places_of(sources: Sequence[str], step: float = 100.0, side: int = SIDE) -> TilePlaces:
    """Lay tiles in a row, `step` pixels apart."""
    corners = np.stack([np.zeros(len(sources)), step * np.arange(len(sources))], axis=1)
    return TilePlaces(tuple(sources), corners, np.full((len(sources), 2), float(side)))


def make_survey(
    trials: int = 8,
    alternatives: int = 2,
    fields: int = 4,
    title: str = "Cells",
    seed: int = 0,
    side: int = SIDE,
    groups: int | None = None,
) -> tuple[SurveyKey, str]:
    """Return key and page of a survey."""
    settings = SurveySettings(alternatives=alternatives, trials=trials, title=title, seed=seed)
    real, synthetic = noise(trials, 1, side), noise(trials * (alternatives - 1) + 3, 2, side)
    secret = images_to_secret(real, synthetic, settings)
    places = places_of([f"field-{i % fields}" for i in range(trials)])
    chosen = images_to_trials(places, len(synthetic), alternatives, trials, secret)
    names = ([f"tile-{i}" for i in range(len(real))], [f"made-{i}" for i in range(len(synthetic))])
    stage = SurveyStage(run="trial", concept="cells", survey=settings)
    notes = trials_to_notes(trials, places, chosen)
    wells = [f"well-{i % fields % (groups or fields)}" for i in range(trials)]
    key = trials_to_key(chosen, secret, names, (places.sources, wells), stage, notes)
    pictures = [trial_to_pngs(one, real, synthetic) for one in chosen]
    return key, survey_to_page(key, pictures, (side, side))


def answer(key: SurveyKey, rater: str, right: Sequence[bool], first: int = 1) -> list[Answer]:
    """Answer trials from `first` on, right or wrong as asked."""
    return [
        Answer(rater, trial, target if good else target % key.alternatives + 1, 1000 + trial)
        for trial, good in enumerate(right, first)
        for target in [key.trials[trial - 1].target]
    ]


def answers_to_cells(answers: Sequence[Answer], key: SurveyKey) -> list[dict[str, str]]:
    """Return rows as the page writes them."""
    cells = [
        (key.survey, *map(str, vars(one).values()), check_of_answer(one, key)) for one in answers
    ]
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells]


def cells_to_text(
    rows: Sequence[dict[str, str]],
    columns: Sequence[str] = COLUMNS,
    separator: str = ",",
    end: str = "\r\n",
) -> str:
    """Return a table as text."""
    lines = [list(columns), *([row[name] for name in columns] for row in rows)]
    return "".join(separator.join(line) + end for line in lines)
