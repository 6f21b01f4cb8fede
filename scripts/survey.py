"""Make a blind survey that asks which picture is real, held-out tile or synthetic image.

Writes one HTML file that needs no network, to be handed to raters, and the key that names the real
picture of every trial, to be kept from them. Score the answers with `scripts/score_survey.py`.
"""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.survey import SurveyStage

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline_lib.evaluation.image_sets import ImageSet
    from pipeline_lib.survey.trials import TilePlaces

PATHS = {
    "tiles": "held-out tiles of the concept (.tif)",
    "table": "their table (.tsv)",
    "shards...": "shards of the run's synthetic images (.zip); other concepts are left out",
    "page": "the survey to write (.html)",
    "key": "the key to write (.json); keep it from the raters",
}


def survey(stage: SurveyStage, paths: argparse.Namespace) -> None:
    """Choose images, write page and key."""
    from pipeline_lib.evaluation.image_sets import read_tiles
    from pipeline_lib.files import write_json, write_text
    from pipeline_lib.survey.commitments import images_to_secret
    from pipeline_lib.survey.keys import trials_to_key
    from pipeline_lib.survey.pages import survey_to_page
    from pipeline_lib.survey.pictures import check_alike, trial_to_pngs
    from pipeline_lib.survey.trials import images_to_trials, possible_trials, trials_to_notes

    real, synthetic = read_tiles(paths.tiles, paths.table), read_synthetic(stage, paths)
    check_alike(real.images, synthetic.images)
    settings = stage.survey
    count = possible_trials(settings.trials, len(real), len(synthetic), settings.alternatives)
    secret = images_to_secret(real.images, synthetic.images, settings)
    places = read_places(paths.table, real)
    trials = images_to_trials(places, len(synthetic), settings.alternatives, count, secret)
    notes = trials_to_notes(settings.trials, places, trials)
    names = (real.names, synthetic.names)
    key = trials_to_key(trials, secret, names, (real.sources, real.groups), stage, notes)
    pictures = [trial_to_pngs(trial, real.images, synthetic.images) for trial in trials]
    page = survey_to_page(key, pictures, real.images.shape[1:])
    write_json(paths.key, key.model_dump())
    write_text(paths.page, page)
    for note in notes:
        logging.warning(note)
    logging.info("%s: %d trials, %.1f MB", key.survey, count, len(page) / 1e6)


def read_synthetic(stage: SurveyStage, paths: argparse.Namespace) -> ImageSet:
    """Open the concept's usable synthetic images."""
    from pipeline_lib.evaluation.image_sets import read_manifests, rows_to_images

    if not paths.shards:
        raise UserError("--shards needs at least one shard")
    rows = read_manifests(paths.shards)
    return rows_to_images(rows[rows["concept"] == stage.concept])


def read_places(table: Path, real: ImageSet) -> TilePlaces:
    """Read where the held-out tiles were cut."""
    import numpy as np

    from pipeline_lib.frames import read_frame
    from pipeline_lib.survey.trials import TilePlaces

    rows = read_frame(table)
    sides = np.array(real.images.shape[1:])
    return TilePlaces(
        sources=real.sources,
        corners=rows[["y", "x"]].to_numpy(float),
        extents=sides / rows["scale"].to_numpy(float)[:, None],
    )


if __name__ == "__main__":
    run_stage(__doc__, SurveyStage, PATHS, survey)
