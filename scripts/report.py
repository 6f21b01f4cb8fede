"""Write the page of one run: how near its synthetic images are to held-out real ones.

Writes one HTML file that needs no network, the contact sheet real | through the VAE | synthetic |
untuned, and the verdict as text. Lists with one file for each concept follow the order of the
settings' concepts.
"""

from __future__ import annotations

import argparse

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.report import ReportStage

INPUTS = {
    "metrics": "table of metrics (.csv)",
    "copies": "likest training place of each synthetic image (.tsv)",
    "similarities": "similarities of all images to the training fields (.csv)",
    "windows": "the likest training places, in register (.tif)",
    "objects": "table of single objects (.csv)",
    "counts": "table of how many objects each image has (.csv)",
    "history": "training's course (.csv)",
    "previews": "previews during training (.png)",
    "model": "folder of the trained model",
    "sidecars...": "sidecars of all fields (.json)",
    "tuned_shards...": "shards of the run's synthetic images, all concepts (.zip)",
    "untuned_shards...": "shards of the untuned base's images, all concepts (.zip)",
}
CONCEPT_INPUTS = {
    "quality...": "quality table of each concept (.tsv)",
    "splits...": "split of each concept (.tsv)",
    "intensities...": "intensity map of each concept (.json)",
    "train_tiles...": "training tiles of each concept (.tif)",
    "holdout_tiles...": "held-out tiles of each concept (.tif)",
    "roundtrips...": "held-out tiles of each concept, through the VAE and back (.tif)",
    "train_tables...": "table of the training tiles of each concept (.tsv)",
    "holdout_tables...": "table of the held-out tiles of each concept (.tsv)",
}
OPTIONAL_INPUTS = {
    "cameras...": "camera noise that each concept's images were given (.json); none if none was",
    "decoder_costs...": "costs of decoders tuned to the concepts' datasets (.json); none of others",
    "sweep...": "distances by ways of sampling (.csv); none if none were compared",
    "class_images...": "stacks of the run's class images (.tif); none if it has no prior loss",
}
OUTPUTS = {
    "page": "the page (.html)",
    "sheet": "the contact sheet (.png)",
    "verdict": "the verdict (.txt)",
}


def report(stage: ReportStage, paths: argparse.Namespace) -> None:
    """Read the run's files, judge it, write page, contact sheet and verdict."""
    from pipeline_lib.files import write_text
    from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
    from pipeline_lib.reporting.pages import run_to_page
    from pipeline_lib.reporting.run_views import run_to_sheet_rows, run_to_verdicts, run_to_view
    from pipeline_lib.reporting.verdicts import verdicts_to_text

    files = read_run(stage, paths)
    verdicts = run_to_verdicts(files, stage.concepts)
    rows = run_to_sheet_rows(files, stage.report.rows)
    write_png(paths.sheet, images_to_contact_sheet(rows, columns=stage.report.rows))
    write_text(paths.verdict, verdicts_to_text(stage.report.title, stage.run, verdicts))
    write_text(paths.page, run_to_page(run_to_view(files, stage, verdicts)))


def read_run(stage: ReportStage, paths: argparse.Namespace):
    """Open the run's files."""
    from pipeline_lib.files import file_to_sha256, read_json
    from pipeline_lib.frames import read_frame
    from pipeline_lib.imaging.stacks import read_planes
    from pipeline_lib.models.cards import TRAINED_CARD
    from pipeline_lib.reporting import inputs
    from pipeline_lib.reporting.times import read_shard_times

    hashed = (paths.metrics, paths.copies, paths.objects, paths.counts)
    hashed += (paths.history, paths.model / TRAINED_CARD)
    names = [concept.concept for concept in stage.concepts]
    kinds = [kind.removesuffix("...") for kind in CONCEPT_INPUTS]
    kinds += ["cameras"] if paths.cameras else []
    shards = {"tuned": paths.tuned_shards, "untuned": paths.untuned_shards}
    concepts = inputs.read_concepts(names, {kind: getattr(paths, kind) for kind in kinds}, shards)
    card = read_json(paths.model / TRAINED_CARD)
    datasets = {concept.concept: concept.dataset for concept in stage.concepts}
    return inputs.RunFiles(
        metrics=inputs.read_metrics(paths.metrics),
        copies=read_frame(paths.copies),
        objects=read_frame(paths.objects),
        counts=read_frame(paths.counts),
        similarities=read_frame(paths.similarities),
        windows=read_planes(paths.windows),
        history=read_frame(paths.history),
        previews=paths.previews.read_bytes(),
        card=card,
        sidecars=[read_json(path) for path in paths.sidecars],
        hashes={path.name: file_to_sha256(path) for path in hashed},
        concepts=inputs.with_space(
            inputs.with_decoder_costs(concepts, datasets, paths.decoder_costs), card
        ),
        class_images=inputs.read_class_images(paths.class_images),
        sweep=read_frame(paths.sweep[0]) if paths.sweep else None,
        sampling={name: read_shard_times(own) for name, own in shards.items()},
    )


if __name__ == "__main__":
    paths = {**INPUTS, **CONCEPT_INPUTS, **OPTIONAL_INPUTS, **OUTPUTS}
    run_stage(__doc__, ReportStage, paths, report)
