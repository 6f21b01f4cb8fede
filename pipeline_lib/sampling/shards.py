"""Drawing a shard of synthetic images into a folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline_lib.imaging.camera_noise import CameraNoise, add_camera_noise
from pipeline_lib.imaging.writing import write_image
from pipeline_lib.models.denoising import draw_batches
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.pictures import intensities_to_grey, latents_to_intensities
from pipeline_lib.sampling.manifests import (
    MANIFEST,
    ManifestRow,
    judge_picture,
    pixels_to_sha256,
    write_manifest,
)
from pipeline_lib.sampling.overlap import overlapped
from pipeline_lib.sampling.sharding import ShardPicture, stage_to_pictures, stage_to_prompt
from pipeline_lib.settings.sampling import SampleStage


@dataclass(frozen=True)
class DrawnPicture:
    """A picture as it is written, and what is to be said of it."""

    picture: ShardPicture
    grey: NDArray[np.uint8]
    status: str
    reason: str


def draw_shard(
    model: BaseModel,
    stage: SampleStage,
    folder: Path,
    origin: dict[str, Any],
    camera: CameraNoise | None = None,
    on_step: Callable[[int], Any] | None = None,
    batch_size: int | None = None,
) -> list[ManifestRow]:
    """Draw the pictures of a shard and write them with their manifest.

    Each batch is decoded and written while the next one is drawn.

    Parameters
    ----------
    model : BaseModel
        A trained model, or an untuned base.
    stage : SampleStage
        What to draw.
    folder : Path
        Folder to fill; the caller makes it appear as a whole.
    origin : dict
        Provenance that goes into every file, beside the picture's own row.
    camera : CameraNoise, optional
        Noise that the model's autoencoder loses, given back by the picture's key.
    on_step : callable, optional
        Called after each denoising step with the number of pictures it advanced.
    batch_size : int, optional
        Pictures drawn at once, none for what the sampler says. It never changes a picture.

    Returns
    -------
    list of ManifestRow
        What became of each picture. Pictures that are not finite have no file.
    """
    folder.mkdir(parents=True)
    pictures, sampler = stage_to_pictures(stage), stage.sampler
    prompt = stage_to_prompt(stage, model.card)
    batches = draw_batches(
        model,
        prompt,
        [picture.key for picture in pictures],
        sampler,
        stage.size,
        batch_size or sampler.batch_size,
        sampler.negative_prompt,
        on_step,
    )
    waiting = iter(pictures)

    def write(latents: torch.Tensor) -> list[ManifestRow]:
        written = []
        for intensities in latents_to_intensities(model, latents):
            drawn = _drawn(next(waiting), intensities, camera)
            written.append(_row(drawn, stage, prompt, model.card["name"]))
            if drawn.status != "not finite":
                provenance = origin | vars(written[-1])
                write_image(folder / drawn.picture.file, drawn.grey, None, provenance)
        return written

    rows = list(itertools.chain.from_iterable(overlapped(batches, write)))
    write_manifest(folder / MANIFEST, rows)
    return rows


def _drawn(
    picture: ShardPicture, intensities: NDArray[np.float32], camera: CameraNoise | None
) -> DrawnPicture:
    """Judge a decoded picture, make it grey and give it its noise before it is rounded."""
    status, reason = judge_picture(intensities)
    grey = intensities_to_grey(intensities)
    if camera is None:
        return DrawnPicture(picture, np.rint(grey).astype(np.uint8), status, reason)
    (noisy,) = add_camera_noise(grey[np.newaxis], camera, [picture.key])
    return DrawnPicture(picture, noisy, status, reason)


def _row(drawn: DrawnPicture, stage: SampleStage, prompt: str, model: str) -> ManifestRow:
    """Return the manifest's row of a picture."""
    height, width = drawn.grey.shape
    finite = drawn.status != "not finite"
    return ManifestRow(
        index=drawn.picture.index,
        key=f"{drawn.picture.key:016x}",
        file=drawn.picture.file if finite else "",
        concept=stage.concept,
        prompt_name=stage.prompt_name,
        prompt=prompt,
        negative_prompt=stage.sampler.negative_prompt,
        model=model,
        seed=stage.sampler.seed,
        scheduler=stage.sampler.scheduler,
        spacing=stage.sampler.spacing,
        steps=stage.sampler.steps,
        guidance=stage.sampler.guidance,
        camera_noise=stage.camera_noise,
        height=height,
        width=width,
        status=drawn.status,
        reason=drawn.reason,
        sha256=pixels_to_sha256(drawn.grey) if finite else "",
    )
