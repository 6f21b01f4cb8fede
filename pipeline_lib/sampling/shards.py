"""Drawing a shard of synthetic images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline_lib.imaging.camera_noise import CameraNoise, add_camera_noise
from pipeline_lib.imaging.digests import pixels_to_sha256
from pipeline_lib.imaging.writing import image_to_tiff
from pipeline_lib.models.denoising import draw_batches
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.pictures import intensities_to_grey, latents_to_intensities
from pipeline_lib.models.unconditional import UnconditionalModel, draw_unconditional
from pipeline_lib.sampling.manifests import ManifestRow, judge_picture
from pipeline_lib.sampling.overlap import overlapped
from pipeline_lib.sampling.shard_files import write_shard
from pipeline_lib.sampling.sharding import ShardPicture, stage_to_pictures, stage_to_prompt
from pipeline_lib.settings.sampling import SamplerSettings, SampleStage


@dataclass(frozen=True)
class DrawnPicture:
    """A picture as it is written, and what is to be said of it."""

    picture: ShardPicture
    grey: NDArray[np.uint8]
    status: str
    reason: str


def draw_shard(
    model: BaseModel | UnconditionalModel,
    stage: SampleStage,
    path: Path,
    origin: dict[str, Any],
    camera: CameraNoise | None = None,
    on_step: Callable[[int], Any] | None = None,
    batch_size: int | None = None,
) -> list[ManifestRow]:
    """Draw the pictures of a shard and write them with their manifest.

    Each batch is decoded while the next one is drawn.

    Parameters
    ----------
    model : BaseModel or UnconditionalModel
        A trained model, or an untuned base.
    stage : SampleStage
        What to draw.
    path : Path
        Shard's zip file to write; the caller makes it appear as a whole.
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
    pictures = stage_to_pictures(stage)
    prompt = stage_to_prompt(stage, model.card)
    keys = [picture.key for picture in pictures]
    batches = _drawn_batches(model, stage, prompt, keys, batch_size, on_step)
    waiting = iter(pictures)

    def decode(latents: torch.Tensor) -> list[tuple[ManifestRow, bytes]]:
        decoded = _decoded(model, latents)
        drawn = [_drawn(next(waiting), intensities, camera) for intensities in decoded]
        rows = [_row(one, stage, prompt, model.card["name"]) for one in drawn]
        return [
            (row, image_to_tiff(one.grey, None, origin | vars(row) | {"synthetic": True}))
            for row, one in zip(rows, drawn, strict=True)
        ]

    return write_shard(path, itertools.chain.from_iterable(overlapped(batches, decode)))


def _drawn_batches(
    model: BaseModel | UnconditionalModel,
    stage: SampleStage,
    prompt: str,
    keys: Sequence[int],
    batch_size: int | None,
    on_step: Callable[[int], Any] | None,
) -> Iterator[torch.Tensor]:
    """Yield what is decoded to pictures, batch by batch."""
    sampler, at_once = stage.sampler, batch_size or stage.sampler.batch_size
    if isinstance(model, UnconditionalModel):
        label = model.label_of(stage.concept)
        return draw_unconditional(model, label, keys, sampler, stage.size, at_once, on_step)
    negative = sampler.negative_prompt
    return draw_batches(model, prompt, keys, sampler, stage.size, at_once, negative, on_step)


def _decoded(model: BaseModel | UnconditionalModel, latents: torch.Tensor) -> NDArray[np.float32]:
    """Return pictures, (N, Y, X, channels), black at 0 and white at 1."""
    if isinstance(model, UnconditionalModel):
        return model.to_intensities(latents)
    return latents_to_intensities(model, latents)


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


def interval_to_words(interval: tuple[float, float] | None) -> str:
    """Say at which noise levels guidance acts.

    Examples
    --------
    >>> interval_to_words((0.3, 5.0)), interval_to_words(None)
    ('0.3 to 5', 'all')
    """
    return "all" if interval is None else f"{interval[0]:g} to {interval[1]:g}"


def sampler_to_words(sampler: SamplerSettings) -> str:
    """Name a sampler, and what it divides the noise by.

    Examples
    --------
    >>> sampler_to_words(SamplerSettings(noise_divisor=1.005))
    'dpm++ (noise divided by 1.005)'
    """
    divisor = sampler.noise_divisor
    return sampler.scheduler + (f" (noise divided by {divisor:g})" if divisor != 1 else "")


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
        scheduler=sampler_to_words(stage.sampler),
        spacing=stage.sampler.spacing,
        steps=stage.sampler.steps,
        guidance=stage.sampler.guidance,
        guidance_interval=interval_to_words(stage.sampler.guidance_interval),
        camera_noise=stage.camera_noise,
        height=height,
        width=width,
        status=drawn.status,
        reason=drawn.reason,
        sha256=pixels_to_sha256(drawn.grey) if finite else "",
    )
