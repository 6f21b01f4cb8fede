"""Small pictures enlarged by an upscaler's pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_upscale import (
    StableDiffusionUpscalePipeline,
)

GreyStack = npt.NDArray[np.uint8]
BATCH = 16


def enlarge(
    pipeline: StableDiffusionUpscalePipeline,
    small: npt.NDArray[np.floating[Any]],
    prompts: Sequence[str],
    steps: int,
    noise_level: int = 0,
    guidance: float = 1.0,
) -> GreyStack:
    """Enlarge small pictures by an upscaler.

    Parameters
    ----------
    pipeline : StableDiffusionUpscalePipeline
        The upscaler.
    small : ndarray of float, (pictures, rows, columns)
        Grey levels, 0 to 255, of `pictures_to_low_resolution`.
    prompts : sequence of str
        One a picture.
    steps : int
        Of the pipeline's own scheduler.
    noise_level : int
        Of the noise that the pipeline adds to the small pictures.
    guidance : float
        Scale of classifier-free guidance; 1 is without.

    Returns
    -------
    ndarray of uint8, (pictures, 4 rows, 4 columns)
        Grey levels; each picture's noise follows from its place alone.
    """
    drawn = []
    for first in range(0, len(small), BATCH):
        some = np.repeat(small[first : first + BATCH, :, :, None] / 255, 3, axis=3)
        pictures = pipeline(
            list(prompts[first : first + BATCH]),
            image=some.astype(np.float32),
            num_inference_steps=steps,
            noise_level=noise_level,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(first + n) for n in range(len(some))],
            output_type="np",
        ).images
        drawn.append(np.rint(pictures.mean(-1) * 255).astype(np.uint8))
    return np.concatenate(drawn)
