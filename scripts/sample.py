"""Draw one shard of synthetic images from a trained model or an untuned base model.

The camera's noise, which the model's autoencoder loses, is given back to each as it is written.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, provenance, sweep, write_json
from pipeline_lib.settings.sampling import SampleStage


def main(settings: SampleStage, paths: argparse.Namespace) -> None:
    """Draw the shard beside its place, then rename it."""
    from tqdm import tqdm

    from pipeline_lib.sampling.opening import DrawingFiles, open_drawing
    from pipeline_lib.sampling.shards import draw_shard

    begun = time.monotonic()
    sweep(paths.shard.parent, paths.shard.name)
    files = DrawingFiles(paths.model, paths.base, paths.decoders, paths.camera)
    opened = open_drawing(files, settings)
    model, camera = opened.model, opened.camera
    stated = settings.model_dump(exclude={"first", "count"})
    origin = provenance("sample", stated, **opened.hashes)
    computed = {"device": str(model.device), "precision": model.precision}
    origin |= computed
    total = settings.count * settings.sampler.steps
    drawing = time.monotonic()
    with (
        tqdm(total=total, unit="step", disable=None) as bar,
        atomic_path(paths.shard) as beside,
    ):
        rows = draw_shard(model, settings, beside, origin, camera, bar.update, paths.batch_size)
    now = time.monotonic()
    took = {"seconds": round(now - begun, 1), "drawing_seconds": round(now - drawing, 3)}
    write_json(paths.time, took | computed)
    counts = Counter(row.status for row in rows)
    logging.info("%s", ", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    run_stage(
        __doc__,
        SampleStage,
        {
            "model": "description of a base model (.json), or the folder of a trained one",
            "base...": "description of the base model (.json), if the trained model is a LoRA",
            "decoders...": "folder of the decoder tuned to the image set's dataset, none for the "
            "model's own",
            "camera...": "camera noise to give back (.json), none if `camera_noise` is `none`",
            "shard": "images with their manifest to write (.zip)",
            "time": "how long drawing took and on what, to write (.json)",
        },
        main,
        {"batch_size": "images drawn at once, instead of the sampler's `batch_size`"},
    )
