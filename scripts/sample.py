"""Draw one shard of synthetic images from a trained model or an untuned base model."""

from __future__ import annotations

import argparse
import logging
from collections import Counter

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, file_to_sha256, provenance
from pipeline_lib.settings import SampleStage


def main(settings: SampleStage, paths: argparse.Namespace) -> None:
    """Draw the shard beside its place, then rename it."""
    from tqdm import tqdm

    from pipeline_lib.models.loading import load_model
    from pipeline_lib.sampling.shards import draw_shard

    model = load_model(paths.model, settings.sampler.precision)
    stated = settings.model_dump(exclude={"first": True, "count": True, "sampler": {"batch_size"}})
    origin = provenance("sample", stated, model=file_to_sha256(paths.model))
    origin["device"] = str(model.device)
    total = settings.count * settings.sampler.steps
    with (
        tqdm(total=total, unit="step", disable=None) as bar,
        atomic_path(paths.shard) as beside,
    ):
        rows = draw_shard(model, settings, beside, origin, bar.update)
    counts = Counter(row.status for row in rows)
    logging.info("%s", ", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    run_stage(
        __doc__,
        SampleStage,
        {
            "model": "description of a base model (.json) or brightbooth.json of a trained one",
            "shard": "folder of images to write",
        },
        main,
    )
