"""From small pictures to enlarged ones: functions of the picture and its key alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.models.denoising import denoise
from pipeline_lib.models.pictures import intensities_to_grey, unscale_latents
from pipeline_lib.models.schedulers import build_scheduler
from pipeline_lib.randomness import key_of, key_to_noise
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.resolutions import FACTOR
from pipeline_lib.settings.superresolution import UpscalerDrawing
from pipeline_lib.superresolution.folders import refuse_unfit_side
from pipeline_lib.superresolution.tiles import (
    averaged_over_tiles,
    length_to_borders,
    side_to_tile,
)
from pipeline_lib.superresolution.upscalers import (
    Upscaler,
    add_low_noise,
    augmentation_to_level,
    encode_words,
    grey_to_colours,
    predict_enlarged,
)


@torch.no_grad()
def enlarge(
    upscaler: Upscaler,
    small: npt.NDArray[np.floating],
    prompt: str,
    key: int,
    augmentation: float,
    settings: UpscalerDrawing,
) -> npt.NDArray[np.uint8]:
    """Enlarge one picture four times, in overlapping tiles where it is larger than one.

    The noise belongs to places of the whole picture, and at every step the predictions of the
    tiles are averaged where they overlap (MultiDiffusion, arXiv 2302.08113); so is what the
    autoencoder makes of them in the end.

    Parameters
    ----------
    upscaler : Upscaler
        Its own UNet or a tuned one.
    small : ndarray, shape (Y, X)
        Grey values from 0 to 255.
    prompt : str
        What it shows.
    key : int
        Decides all noise.
    augmentation : float
        Variance of the noise that the small picture is given.
    settings : UpscalerDrawing
        How; a stated `augmentation` is the caller's to hand over.

    Returns
    -------
    ndarray of uint8, shape (4 Y, 4 X)
        The enlarged picture.

    Raises
    ------
    UserError
        If pixels are not finite, or a side of tiles does not suit the UNet.
    """
    refuse_unfit_side(settings.tile, FACTOR * upscaler.multiple, "superresolution.drawing.tile")
    level = augmentation_to_level(upscaler, augmentation)
    words = encode_words(upscaler, prompt)
    empty = encode_words(upscaler, "") if settings.guidance > 1 else None
    given = grey_to_colours(small[None], upscaler.device)
    low_noise = key_to_noise(key_of("upsample", key, "small"), given.shape[1:])
    noisy = add_low_noise(given, torch.from_numpy(low_noise)[None].to(given.device), augmentation)
    tile = tuple(
        side_to_tile(side, settings.tile // FACTOR, upscaler.multiple) for side in small.shape
    )
    overlap = settings.overlap // FACTOR

    def predictor(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        def answer(rows: slice, columns: slice) -> torch.Tensor:
            part, low = latents[..., rows, columns], noisy[..., rows, columns]
            wanted = predict_enlarged(upscaler, part, low, timestep, words, level)
            if empty is None:
                return wanted
            unwanted = predict_enlarged(upscaler, part, low, timestep, empty, level)
            return unwanted + settings.guidance * (wanted - unwanted)

        return averaged_over_tiles(answer, small.shape, tile, overlap)

    scheduler = build_scheduler("dpm++", upscaler.scheduler_config, settings.steps)
    shape = (upscaler.vae.config.latent_channels, *small.shape)
    latents = denoise(scheduler, predictor, [key], shape, upscaler.device)
    whole = unscale_latents(upscaler, latents)

    def decoded(rows: slice, columns: slice) -> torch.Tensor:
        return upscaler.vae.decode(whole[..., rows, columns]).sample

    picture = averaged_over_tiles(decoded, small.shape, tile, overlap, FACTOR)
    if not picture.isfinite().all():
        raise UserError(
            "the upscaler drew pixels that are not finite; set `superresolution: drawing: "
            "precision: float32`, or lower superresolution.tuning.learning_rate"
        )
    intensities = picture.add(1).div(2).permute(0, 2, 3, 1).cpu().numpy()
    return np.rint(intensities_to_grey(intensities)[0]).astype(np.uint8)


def shape_to_borders(
    shape: tuple[int, int], settings: UpscalerDrawing, multiple: int
) -> tuple[list[int], list[int]]:
    """Return the rows and columns of an enlarged picture where the tiles of `enlarge` begin or end.

    Parameters
    ----------
    shape : tuple of int
        Of the enlarged picture.
    settings : UpscalerDrawing
        Tile and overlap.
    multiple : int
        Of `Upscaler`.

    Returns
    -------
    tuple of list of int
        Both empty where one tile is the whole.
    """
    found = []
    for side in shape:
        tile = side_to_tile(side // FACTOR, settings.tile // FACTOR, multiple)
        overlap = min(settings.overlap // FACTOR, tile - 1)
        borders = length_to_borders(side // FACTOR, tile, overlap)
        found.append([FACTOR * border for border in borders])
    return found[0], found[1]
