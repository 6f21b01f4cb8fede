"""Compare detectors of several training sets: scores, intervals over fields, a curve and a page."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.detection import DownstreamStage

if TYPE_CHECKING:
    import pandas as pd

    from pipeline_lib.detection.comparison import Detections
    from pipeline_lib.detection.verdicts import Compared
    from pipeline_lib.evaluation.comparisons import FloatArray

PATHS = {
    "trials": "table of the trials (.tsv)",
    "detections": "table of what each found (.tsv)",
    "tiles": "table of the held-out tiles and their objects (.tsv)",
    "picture": "held-out tiles with found outlines (.png)",
    "table": "scores of each trial to write (.tsv)",
    "summary": "differences and their intervals to write (.json)",
    "curve": "curve to write (.png)",
    "page": "the page to write (.html)",
}
TRIAL = ["set", "share", "seed"]
PICTURE_WORDS = (
    "Held-out tiles: above the known objects, then what the first detector of real images alone "
    "finds, below that of synthetic images alone; red outlines are unsure, light blue ones sure."
)
READING = (
    "Average precision is the area under the curve of precision over recall; an object counts as "
    "found where the intersection over union of the masks is above one half.",
    "All detectors have one network and equal numbers of optimizer steps; they differ in their "
    "images, their start and the order of their images.",
    "Tiles may overlap and lie in one field: whole fields are what intervals are drawn over.",
)


def main(stage: DownstreamStage, paths: argparse.Namespace) -> None:
    """Score, compare, and write table, summary, curve and page."""
    from pipeline_lib.files import atomic_path, write_json, write_text
    from pipeline_lib.frames import read_frame
    from pipeline_lib.imaging.tables import write_table
    from pipeline_lib.reporting.downstream import scores_to_png
    from pipeline_lib.reporting.pages import downstream_to_page

    trials, tiles = (read_frame(path) for path in (paths.trials, paths.tiles))
    found = read_frame(paths.detections)
    objects = unit_objects(tiles)
    detections = trials_to_detections(trials, found, tiles)
    scores = trials_to_scores(stage, trials, detections, objects)
    compared = compare_all(stage, trials, detections, objects)
    write_table(paths.table, list(scores), scores.to_dict("records"))
    write_json(paths.summary, summarise(stage, paths, tiles, scores, compared))
    png = scores_to_png(scores)
    with atomic_path(paths.curve) as beside:
        beside.write_bytes(png)
    view = scores_to_view(stage, scores, compared, len(objects), png, paths.picture.read_bytes())
    write_text(paths.page, downstream_to_page(view))


def unit_objects(tiles: pd.DataFrame) -> FloatArray:
    """Return the number of true objects of each independent field."""
    return tiles.groupby("unit")["objects"].sum().sort_index().to_numpy(float)


def trials_to_detections(
    trials: pd.DataFrame, found: pd.DataFrame, tiles: pd.DataFrame
) -> list[Detections]:
    """Return what each trial found, in the order of the trials; it may be nothing."""
    from pipeline_lib.detection.comparison import Detections

    units = tiles.sort_values("tile")["unit"].to_numpy()
    by_trial = dict(iter(found.groupby(TRIAL)))
    made = []
    for trial in trials[TRIAL].itertuples(index=False, name=None):
        own = by_trial.get(trial, found[:0])
        matched = own["matched"].to_numpy(bool)
        tile = own["tile"].to_numpy(int)
        made.append(Detections(own["score"].to_numpy(float), matched, units[tile]))
    return made


def trials_to_scores(
    stage: DownstreamStage,
    trials: pd.DataFrame,
    detections: list[Detections],
    objects: FloatArray,
) -> pd.DataFrame:
    """Return the table of trials with their scores."""
    import pandas as pd

    scored = [vars(one.to_scores(objects, stage.threshold)) for one in detections]
    return pd.concat([trials, pd.DataFrame(scored)], axis=1)


def compare_all(
    stage: DownstreamStage,
    trials: pd.DataFrame,
    detections: list[Detections],
    objects: FloatArray,
) -> list[Compared]:
    """Return each set of trained detectors beside the real images alone."""
    import numpy as np

    from pipeline_lib.detection.comparison import compare_precision
    from pipeline_lib.detection.mixtures import REAL, SEGMENTER
    from pipeline_lib.detection.verdicts import Compared

    sides: dict[tuple[str, float], list[Detections]] = {}
    for trial, one in zip(trials.itertuples(), detections, strict=True):
        if trial.set == SEGMENTER:  # not trained: it has no seeds to tell a difference by
            continue
        sides.setdefault((str(trial.set), float(trial.share)), []).append(one)
    real = sides.pop((REAL, 0.0))
    everything = np.ones(len(objects))
    made = []
    for (name, share), own in sides.items():
        value = np.mean([one.precision_over(objects, everything) for one in own])
        difference = compare_precision(own, real, objects, stage.confidence)
        made.append(Compared(name, share, float(value), difference))
    return made


def summarise(
    stage: DownstreamStage,
    paths: argparse.Namespace,
    tiles: pd.DataFrame,
    scores: pd.DataFrame,
    compared: list[Compared],
) -> dict[str, Any]:
    """Return what downstream.json says."""
    from pipeline_lib.files import file_to_sha256, provenance

    inputs = {path.name: file_to_sha256(path) for path in (paths.detections, paths.tiles)}
    return {
        "verdict": verdict(scores, compared, tiles["unit"].nunique()),
        "held_out": {
            "fields": int(tiles["unit"].nunique()),
            "tiles": len(tiles),
            "objects": int(tiles["objects"].sum()),
        },
        "real_average_precision": real_precision(scores),
        "compared": [one.as_dict() for one in compared],
        "provenance": provenance("downstream", stage.model_dump(mode="json"), **inputs),
    }


def real_precision(scores: pd.DataFrame) -> float:
    """Return the mean average precision of the detectors of real images alone."""
    from pipeline_lib.detection.mixtures import REAL

    return float(scores.loc[scores["set"] == REAL, "average_precision"].mean())


def verdict(scores: pd.DataFrame, compared: list[Compared], fields: int) -> str:
    """Return the sentence that the page begins with."""
    from pipeline_lib.detection.verdicts import compared_to_verdict

    return compared_to_verdict(compared, fields, int(scores["seed"].nunique()))


def scores_to_view(
    stage: DownstreamStage,
    scores: pd.DataFrame,
    compared: list[Compared],
    fields: int,
    png: bytes,
    picture: bytes,
) -> Any:
    """Return what the page shows."""
    from pipeline_lib.detection.verdicts import compared_to_sentence, comparisons_to_caution
    from pipeline_lib.reporting.downstream import DownstreamView, scores_to_table

    real = real_precision(scores)
    threshold = f"Precision, recall and F1 are of scores from {stage.threshold:g}."
    return DownstreamView(
        title=f"Do synthetic images help? Detectors of {stage.concept}, run {stage.run}",
        verdict=verdict(scores, compared, fields),
        chart=png,
        words="Average precision on held-out real tiles. Dots are detectors, lines their means.",
        sentences=[compared_to_sentence(one, real) for one in compared],
        table=scores_to_table(scores),
        picture=picture,
        picture_words=PICTURE_WORDS,
        reading=[*READING, threshold, comparisons_to_caution(compared, stage.confidence)],
    )


if __name__ == "__main__":
    run_stage(__doc__, DownstreamStage, PATHS, main)
