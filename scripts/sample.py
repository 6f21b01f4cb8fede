"""Draw one shard of synthetic images from a trained model or an untuned base model.

The camera's noise, which the model's autoencoder loses, is given back to each as it is written.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, file_to_sha256, provenance, read_json, sweep, write_json
from pipeline_lib.imaging.camera_noise import CameraNoise, record_to_camera_noise
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.sampling import SampleStage


def main(settings: SampleStage, paths: argparse.Namespace) -> None:
    """Draw the shard beside its place, then rename it."""
    from tqdm import tqdm

    from pipeline_lib.models.cards import path_to_card
    from pipeline_lib.models.decoders import DECODER_CARD, with_decoder
    from pipeline_lib.models.denoising import ready_to_draw
    from pipeline_lib.models.loading import load_model
    from pipeline_lib.sampling.shards import draw_shard

    begun = time.monotonic()
    sweep(paths.shard.parent, paths.shard.name)
    camera = read_camera(settings, paths.camera)
    base = paths.base[0] if paths.base else None
    model = ready_to_draw(load_model(paths.model, settings.sampler.precision, base=base))
    stated = settings.model_dump(exclude={"first", "count"})
    inputs = {"model": path_to_card(paths.model)} | ({"camera": paths.camera[0]} if camera else {})
    for decoder in paths.decoders[:1]:
        model = with_decoder(model, decoder)
        inputs["decoder"] = decoder / DECODER_CARD
    hashes = {name: file_to_sha256(path) for name, path in inputs.items()}
    origin = provenance("sample", stated, **hashes)
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


def read_camera(settings: SampleStage, paths: Sequence[Path]) -> CameraNoise | None:
    """Return the noise to give back, none if none is wanted."""
    wanted = int(settings.camera_noise == "measured")
    if len(paths) != wanted:
        raise UserError(
            f"--camera needs {wanted} files where `camera_noise` is `{settings.camera_noise}`, "
            f"found {len(paths)}; pass what the stage `camera` wrote, or change `camera_noise`"
        )
    return record_to_camera_noise(read_json(paths[0])) if wanted else None


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
