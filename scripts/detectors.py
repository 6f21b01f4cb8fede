"""Train detectors on real and synthetic images in several shares, and test them on held-out ones.

Every trial keeps its state below ``--state``: a job that was cut goes on, and a finished trial is
not made again. SIGTERM saves and exits with 75: run the same command again.
"""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.detection import DetectorsStage
from pipeline_lib.versions import RESULT_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline_lib.detection.instances import Finder, Found
    from pipeline_lib.detection.mixtures import Mixture
    from pipeline_lib.detection.objective import LabelledImages
    from pipeline_lib.detection.trials import HeldOutTiles

PATHS = {
    "labels": "folder of the run's labelled images",
    "train_masks": "stack of the training tiles' known masks (.tif)",
    "holdout_masks": "stack of the held-out tiles' known masks (.tif)",
    "holdout_table": "table of the held-out tiles (.tsv)",
    "state": "folder of the trials' states",
    "trials": "table of the trials to write (.tsv)",
    "detections": "table of what each found to write (.tsv)",
    "tiles": "table of the held-out tiles and their objects to write (.tsv)",
    "picture": "held-out tiles with found outlines to write (.png)",
}
SHOWN = 12
TRIAL_COLUMNS = ("set", "share", "seed", "real", "synthetic")
DETECTION_COLUMNS = ("set", "share", "seed", "tile", "score", "matched")


def main(stage: DetectorsStage, paths: argparse.Namespace) -> None:
    """Read, train trial after trial, and write what they found."""
    from pipeline_lib.detection.mixtures import REAL, SEGMENTER, SYNTHETIC
    from pipeline_lib.imaging.tables import write_table

    test, sources, judged = read_test(stage, paths)
    pools = read_pools(stage, paths)
    trials: list[dict[str, Any]] = [trial_row(SEGMENTER, 0.0, 0, 0, 0)]
    detections = named_rows(trials[0], judged, test)
    shown: list[Sequence[Found]] = []
    for seed in range(stage.detectors.seeds):
        for row, found in seed_to_found(stage, paths, pools, test, seed):
            trials.append(row)
            detections += named_rows(row, found, test)
            if seed == 0 and row["set"] in (REAL, SYNTHETIC):
                shown.append(found)
    write_table(paths.trials, TRIAL_COLUMNS, trials)
    write_table(paths.detections, DETECTION_COLUMNS, detections)
    write_table(paths.tiles, ("tile", "source", "unit", "objects"), sources)
    write_picture(paths, test, shown)


def trial_row(name: str, share: float, seed: int, real: int, synthetic: int) -> dict[str, Any]:
    """Return the row of a trial."""
    return {"set": name, "share": share, "seed": seed, "real": real, "synthetic": synthetic}


def named_rows(
    trial: dict[str, Any], found: Sequence[Found], test: HeldOutTiles
) -> list[dict[str, Any]]:
    """Return the rows of what a trial found."""
    from pipeline_lib.detection.trials import found_to_rows

    return [trial | row for row in found_to_rows(found, test)]


def read_test(
    stage: DetectorsStage, paths: argparse.Namespace
) -> tuple[HeldOutTiles, list[dict[str, Any]], list[Found]]:
    """Return the held-out tiles, the rows of their table, and what the segmenter finds in them."""
    from pipeline_lib.detection.instances import Found, drop_small
    from pipeline_lib.detection.reading import read_known, read_labelled
    from pipeline_lib.detection.trials import masks_to_test
    from pipeline_lib.evaluation.intervals import names_to_units
    from pipeline_lib.imaging.tables import read_table

    given, numbers, confidences = read_labelled(paths.labels / "holdout", stage.concept, 0.0)
    masks, known = read_known(paths.holdout_masks, numbers)
    if not known.all():
        raise UserError(
            f"{(~known).sum()} of {len(known)} held-out tiles have no known masks; name them in "
            "the column `masks` of samples.tsv"
        )
    test = masks_to_test(given.images, masks)
    if not sum(test.objects):
        raise UserError(
            "the known masks show no object in any held-out tile; correct the column `masks` of "
            "samples.tsv"
        )
    table = read_table(paths.holdout_table)
    rows = [table[number] for number in numbers]
    units = names_to_units([row["group"] for row in rows], [row["source"] for row in rows])
    sources = [
        {"tile": tile, "source": row["source"], "unit": int(unit), "objects": objects}
        for tile, (row, unit, objects) in enumerate(zip(rows, units, test.objects, strict=True))
    ]
    judged = []
    for labels, sure in zip(given.labels, confidences, strict=True):
        kept = drop_small(labels)
        first = [int(labels[kept == number][0]) for number in range(1, int(kept.max()) + 1)]
        judged.append(Found(kept, sure[[number - 1 for number in first]]))
    return test, sources, judged


def read_pools(stage: DetectorsStage, paths: argparse.Namespace) -> dict[str, LabelledImages]:
    """Return the images to train on: real, the same with the segmenter's labels, synthetic."""
    from pipeline_lib.detection.mixtures import REAL, RELABELLED, SYNTHETIC, shares_to_mixtures
    from pipeline_lib.detection.reading import read_known, read_labelled, with_known
    from pipeline_lib.imaging.choices import even_choice

    settings = stage.detectors
    real, numbers, _ = read_labelled(
        paths.labels / "train", stage.concept, settings.minimum_confidence
    )
    chosen = even_choice(len(real), settings.real_tiles or len(real))
    masks, known = read_known(paths.train_masks, numbers)
    logging.info("%d of %d training tiles have known masks", known[chosen].sum(), len(chosen))
    pools = {REAL: with_known(real, masks, known).chosen(chosen)}
    if known[chosen].any():
        pools[RELABELLED] = real.chosen(chosen)
    pools[SYNTHETIC] = read_labelled(
        paths.labels / "synthetic", stage.concept, settings.minimum_confidence
    )[0]
    for mixture in shares_to_mixtures(settings.shares, RELABELLED in pools):
        mix(mixture, pools, 0)  # refused before anything is trained
    return pools


def seed_to_found(
    stage: DetectorsStage,
    paths: argparse.Namespace,
    pools: dict[str, LabelledImages],
    test: HeldOutTiles,
    seed: int,
) -> list[tuple[dict[str, Any], list[Found]]]:
    """Train a detector on each set from one seed, and return what each finds."""
    from pipeline_lib.detection.mixtures import REAL, RELABELLED, SYNTHETIC, shares_to_mixtures
    from pipeline_lib.detection.trials import finder_to_labelled

    settings, pools = stage.detectors, dict(pools)
    made = []
    for mixture in shares_to_mixtures(settings.shares, RELABELLED in pools):
        given, numbers = mix(mixture, pools, seed)
        find = train(stage, paths, given, seed, f"{mixture.name} {mixture.share:g}, {seed}")
        if mixture.name == REAL and settings.labeller == "detector":
            images = pools[SYNTHETIC].images
            pools[SYNTHETIC] = finder_to_labelled(find, images, settings.minimum_confidence)
        row = trial_row(mixture.name, mixture.share, seed, *numbers)
        made.append((row, find(test.images)))
    return made


def mix(
    mixture: Mixture, pools: dict[str, LabelledImages], seed: int
) -> tuple[LabelledImages, tuple[int, int]]:
    """Return the images of a set, and how many are real and synthetic."""
    from pipeline_lib.detection.mixtures import REAL, SYNTHETIC, mixture_to_places

    real = pools.get(mixture.name, pools[REAL]) if mixture.name != SYNTHETIC else pools[REAL]
    synthetic = pools[SYNTHETIC]
    taken = mixture_to_places(mixture, len(real), len(synthetic), seed)
    given = real.chosen(taken[0]).joined(synthetic.chosen(taken[1]))
    return given, (len(taken[0]), len(taken[1]))


def train(
    stage: DetectorsStage, paths: argparse.Namespace, given: LabelledImages, seed: int, name: str
) -> Finder:
    """Return what finds objects by the trained detector of a trial."""
    from pipeline_lib.detection.trials import Trial, model_to_finder, trained_model
    from pipeline_lib.imaging.views import modality_to_views

    trial = Trial(given, stage.detectors, modality_to_views(stage.modality), seed)
    model = trained_model(trial, paths.state, RESULT_VERSION["detectors"], name)
    return model_to_finder(model, stage.detectors)


def write_picture(
    paths: argparse.Namespace, test: HeldOutTiles, shown: Sequence[Sequence[Found]]
) -> None:
    """Write tiles with known outlines, and those that detectors of single sets found, below."""
    import numpy as np

    from pipeline_lib.imaging.choices import even_choice
    from pipeline_lib.imaging.contact_sheets import write_png
    from pipeline_lib.labels.overlays import labels_to_overlay, overlays_to_sheet

    full = [number for number, count in enumerate(test.objects) if count]
    chosen = [full[place] for place in even_choice(len(full), SHOWN // 2)]
    lines = [[(test.truth[tile], [1.0] * test.objects[tile]) for tile in chosen]]
    lines += [[(found[tile].labels, found[tile].scores) for tile in chosen] for found in shown]
    drawn = [
        labels_to_overlay(test.images[tile], labels, np.asarray(scores))
        for line in lines
        for tile, (labels, scores) in zip(chosen, line, strict=True)
    ]
    write_png(paths.picture, overlays_to_sheet(drawn))


if __name__ == "__main__":
    run_stage(__doc__, DetectorsStage, PATHS, main)
