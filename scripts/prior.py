"""Draw one shard of class images from the frozen base model, for the prior-preservation loss."""

from __future__ import annotations

import argparse

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, file_to_sha256, provenance
from pipeline_lib.settings.priors import PriorStage

PICTURES_IN_SHEET = 64


def main(settings: PriorStage, paths: argparse.Namespace) -> None:
    """Draw the latents, keep them, and decode them to look at."""
    import json
    import time

    import numpy as np
    import torch
    from safetensors.torch import save_file
    from tqdm import tqdm

    from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
    from pipeline_lib.imaging.stacks import write_stack
    from pipeline_lib.models.denoising import draw_batches
    from pipeline_lib.models.loading import load_model, ready_to_draw
    from pipeline_lib.models.pictures import latents_to_images, rgb_to_grey
    from pipeline_lib.randomness import key_of
    from pipeline_lib.sampling.overlap import overlapped

    begun = time.monotonic()
    prior = settings.prior
    model = ready_to_draw(load_model(paths.model, prior.precision))
    keys = [
        key_of("prior", prior.seed, settings.name, settings.first + index)
        for index in range(settings.count)
    ]
    batch_size = paths.batch_size or prior.batch_size
    with tqdm(total=len(keys) * prior.steps, unit="step", disable=None) as bar:
        batches = draw_batches(
            model, prior.class_prompt, keys, prior, prior.size, batch_size, on_step=bar.update
        )
        drawn = list(
            overlapped(batches, lambda batch: (batch.cpu(), latents_to_images(model, batch)))
        )
    latents, images = zip(*drawn, strict=True)
    stack = np.concatenate(images)
    origin = provenance("prior", settings.model_dump(), model=file_to_sha256(paths.model))
    origin |= {"device": str(model.device), "precision": model.precision}
    metadata = {"prior": settings.name, "first": str(settings.first), "origin": json.dumps(origin)}
    with atomic_path(paths.latents) as beside:
        save_file({"latents": torch.cat(latents).contiguous()}, beside, metadata)
    took = {"seconds": round(time.monotonic() - begun, 1)}
    write_stack(paths.images, stack, {"synthetic": True, **origin, **took})
    shown = rgb_to_grey(stack[:PICTURES_IN_SHEET])
    label = f"{settings.name}: {prior.class_prompt}"
    write_png(paths.contact_sheet, images_to_contact_sheet([(label, shown)]))


if __name__ == "__main__":
    run_stage(
        __doc__,
        PriorStage,
        {
            "model": "description of the base model (.json)",
            "images": "class images to write, to look at (.tif)",
            "latents": "their latents as the UNet sees them (.safetensors)",
            "contact_sheet": "picture of the first of them (.png)",
        },
        main,
        {"batch_size": "images drawn at once, instead of the prior's `batch_size`"},
    )
