"""Draw one model's images of one dataset by all prompts of the page of contexts.

A shard for each prompt, of the images that bulk sampling would begin with; one job, for starting
takes longer than drawing the few images of a prompt.
"""

from __future__ import annotations

import argparse
import logging

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, provenance, sweep
from pipeline_lib.settings.sampling import ContextImagesStage

PATHS = {
    "model": "description of a base model (.json), or the folder of a trained one",
    "base...": "description of the base model (.json), if the trained model is a LoRA",
    "decoders...": "folder of the decoder tuned to the dataset, none for the model's own",
    "camera...": "camera noise to give back (.json), none if `camera_noise` is `none`",
    "images": "folder to write",
}
NUMBERS = {"batch_size": "images drawn at once, instead of the sampler's `batch_size`"}


def work(stage: ContextImagesStage, paths: argparse.Namespace) -> None:
    """Draw set after set into a folder beside its place, then rename it."""
    from tqdm import tqdm

    from pipeline_lib.sampling.opening import DrawingFiles, open_drawing
    from pipeline_lib.sampling.shard_files import SHARD_SUFFIX
    from pipeline_lib.sampling.shards import draw_shard

    sweep(paths.images.parent, paths.images.name)
    files = DrawingFiles(paths.model, paths.base, paths.decoders, paths.camera)
    opened = open_drawing(files, stage.sets[0])
    computed = {"device": str(opened.model.device), "precision": opened.model.precision}
    total = sum(one.count * one.sampler.steps for one in stage.sets)
    with tqdm(total=total, unit="step", disable=None) as bar, atomic_path(paths.images) as beside:
        beside.mkdir()
        for one in stage.sets:
            stated = one.model_dump(exclude={"first", "count"})
            origin = provenance("context_images", stated, **opened.hashes) | computed
            shard = beside / f"{one.prompt_name}{SHARD_SUFFIX}"
            rows = draw_shard(
                opened.model, one, shard, origin, opened.camera, bar.update, paths.batch_size
            )
            usable = sum(row.status == "ok" for row in rows)
            logging.info("%s: %d of %d images", one.prompt_name, usable, len(rows))


if __name__ == "__main__":
    run_stage(__doc__, ContextImagesStage, PATHS, work, NUMBERS)
