"""An upscaler's UNet as an objective of the training loop; all else of it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.dreambooth.losses import places_to_timesteps, training_target
from pipeline_lib.dreambooth.schedule import Draw, Source, slot_to_draw
from pipeline_lib.dreambooth.training_data import noise_like
from pipeline_lib.files import value_to_sha256
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.digests import pixels_to_sha256
from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.models.pictures import images_to_moments, scale_latents
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.resolutions import FACTOR
from pipeline_lib.settings.superresolution import UpscalerDrawing, UpscalerStage
from pipeline_lib.superresolution.drawing import enlarge
from pipeline_lib.superresolution.folders import refuse_unfit_side
from pipeline_lib.superresolution.upscalers import (
    Upscaler,
    add_low_noise,
    augmentation_to_level,
    encode_words,
    grey_to_colours,
    predict_enlarged,
)
from pipeline_lib.training.judgement import Judgement, values_to_score
from pipeline_lib.training.objective import LOSS, Losses, Mends, WeightGroup

STAGE = "upscaler"
JUDGED_TILES, JUDGED_NOISES = 16, 4
SHOWN_TILES, PREVIEWS = 4, UpscalerDrawing(steps=10)
GreyStack = npt.NDArray[np.uint8]


def tiles_in_order(tiles: GreyStack) -> GreyStack:
    """Return tiles sorted by content, so that no order of a sheet shapes an upscaler."""
    return tiles[np.argsort([pixels_to_sha256(tile) for tile in tiles], kind="stable")]


def upscaler_fingerprint(
    stage: UpscalerStage, files: Mapping[str, str], train: GreyStack, validation: GreyStack
) -> dict[str, Any]:
    """Return all that shapes a tuned upscaler, JSON-able; no names, no paths."""
    return {
        "settings": stage.model_dump(mode="json", exclude={"dataset"}),
        "upscaler": dict(files),
        "train": value_to_sha256([pixels_to_sha256(tile) for tile in train]),
        "validation": value_to_sha256([pixels_to_sha256(tile) for tile in validation]),
    }


@dataclass(frozen=True)
class Pairs:
    """Noisy latents of crops beside their small pictures, and what is to be predicted."""

    noisy: torch.Tensor
    small: torch.Tensor
    target: torch.Tensor
    timesteps: torch.Tensor

    def pieces(self, number: int) -> list[Pairs]:
        """Return every so-manieth pair."""
        parts = (self.noisy, self.small, self.target, self.timesteps)
        return [Pairs(*(part[first::number] for part in parts)) for first in range(number)]


def draw_crop(
    tiles: GreyStack, views: Sequence[View], draw: Draw, side: int
) -> npt.NDArray[np.uint8]:
    """Return a crop of a drawn tile in a drawn view; its place follows from the draw's key.

    Parameters
    ----------
    tiles : ndarray of uint8, shape (tiles, Y, X)
        To cut from.
    views : sequence of View
        Those that are valid.
    draw : Draw
        Which tile and view.
    side : int
        In pixels, a multiple of 4; tiles that are no larger are taken whole.

    Returns
    -------
    ndarray of uint8, shape (side, side)
        The crop; its first row and column are multiples of 4 of the turned tile.
    """
    tile = apply_view(tiles[draw.image], views[draw.view])
    spans = [
        _span(draw.latent_key, axis, length, side)
        for axis, length in zip("yx", tile.shape, strict=True)
    ]
    return np.ascontiguousarray(tile[tuple(spans)])


def _span(key: int, axis: str, length: int, side: int) -> slice:
    """Return a stretch of pixels at a place that a key decides."""
    room = max(0, length - side) // FACTOR + 1
    first = FACTOR * (key_of(STAGE, key, axis) * room >> 64)
    return slice(first, first + min(side, length))


class TunedUpscaler:
    """An upscaler that learns one microscope's tiles from the means of 4 x 4 pixels.

    Parameters
    ----------
    upscaler : Upscaler
        In float32; its UNet is trained in place.
    train, validation : ndarray of uint8, shape (tiles, side, side)
        In order. Validation tiles are judged by and never trained on; there may be none.
    views : sequence of View
        Those that are valid.
    stage : UpscalerStage
        How.
    """

    columns = (LOSS, "train_loss", "validation_loss")

    def __init__(
        self,
        upscaler: Upscaler,
        train: GreyStack,
        validation: GreyStack,
        views: Sequence[View],
        stage: UpscalerStage,
    ) -> None:
        self.upscaler, self.settings = upscaler, stage.tuning
        self.train, self.views = train, views
        side = min(stage.tuning.crop, *train.shape[1:])
        refuse_unfit_side(side, FACTOR * upscaler.multiple, "superresolution.tuning.crop")
        self.augmentation = stage.augmentation
        self.level = augmentation_to_level(upscaler, stage.augmentation)
        self.prompt, self.words = stage.prompt, encode_words(upscaler, stage.prompt)
        self.schedule = noise_schedule(upscaler.scheduler_config)
        self.timesteps = places_to_timesteps(self.schedule, stage.tuning.timesteps)
        self.judged = {
            f"{role}_loss": tiles[even_choice(len(tiles), JUDGED_TILES)]
            for role, tiles in (("train", train), ("validation", validation))
            if len(tiles)
        }
        upscaler.unet.requires_grad_(True)
        if stage.tuning.gradient_checkpointing:
            upscaler.unet.enable_gradient_checkpointing()
        weights = {f"unet.{name}": one for name, one in upscaler.unet.named_parameters()}
        rate, optimizer = stage.tuning.learning_rate, stage.tuning.optimizer
        self.groups = {"unet": WeightGroup(weights, rate, optimizer)}

    @property
    def mends(self) -> Mends:
        """The settings to change where the training fails."""
        ours = self.settings
        return Mends(
            divergence=f"Lower superresolution.tuning.learning_rate (now {ours.learning_rate:g}), "
            "raise warmup_steps, or set precision: float32.",
            memory=f"A step has {ours.batch_size} crops of {ours.crop} pixels in "
            f"{ours.accumulation} pieces: raise superresolution.tuning.accumulation, set "
            "gradient_checkpointing: true, lower crop or batch_size, or take a machine with more "
            "memory.",
        )

    def step_to_pieces(self, step: int) -> Sequence[Pairs]:
        """Return the pairs of a step in pieces."""
        ours, source = self.settings, [Source(len(self.train), len(self.views))]
        draws = [
            slot_to_draw(ours.seed, "subject", step, slot, source, len(self.timesteps))
            for slot in range(ours.batch_size)
        ]
        crops = np.stack([draw_crop(self.train, self.views, one, ours.crop) for one in draws])
        timesteps = self.timesteps[[one.place for one in draws]]
        return self.pairs(crops, timesteps, [one.noise_key for one in draws]).pieces(
            ours.accumulation
        )

    @torch.no_grad()
    def pairs(self, crops: GreyStack, timesteps: torch.Tensor, keys: Sequence[int]) -> Pairs:
        """Return crops as noisy latents beside their small pictures.

        Parameters
        ----------
        crops : ndarray of uint8, shape (N, Y, X)
            What should be drawn.
        timesteps : Tensor of int64, shape (N,)
            Of the latents' noise.
        keys : sequence of int
            One a crop: of the latent's draw (mean + std * noise) and of both kinds of noise.

        Returns
        -------
        Pairs
            On the upscaler's device.
        """
        device = self.upscaler.device
        with torch.autocast(device.type, enabled=False):
            mean, std = images_to_moments(self.upscaler, crops)
            drawn = mean + std * noise_like(mean, [key_of(STAGE, key, "latent") for key in keys])
            clean = scale_latents(self.upscaler, drawn)
            small = grey_to_colours(pictures_to_low_resolution(crops, FACTOR), device)
            low_noise = noise_like(small, [key_of(STAGE, key, "small") for key in keys])
            noisy_small = add_low_noise(small, low_noise, self.augmentation)
            noise, timesteps = noise_like(clean, keys), timesteps.to(device)
            return Pairs(
                self.schedule.add_noise(clean, noise, timesteps),
                noisy_small,
                training_target(self.schedule, clean, noise, timesteps),
                timesteps,
            )

    def _errors(self, pairs: Pairs) -> torch.Tensor:
        """Return the mean squared error of each pair's prediction."""
        predicted = predict_enlarged(
            *(self.upscaler, pairs.noisy, pairs.small, pairs.timesteps, self.words, self.level)
        )
        return (predicted - pairs.target).square().flatten(1).mean(1)

    def piece_to_losses(self, piece: Pairs) -> Losses:
        """Return a piece's share of the step's loss."""
        return {LOSS: self._errors(piece).sum() / self.settings.batch_size}

    @torch.no_grad()
    def judge(self) -> Judgement:
        """Return the losses of some tiles, always the same; those of validation are the score."""
        each = {name: self._tile_losses(tiles) for name, tiles in self.judged.items()}
        validated = each.get("validation_loss")
        score = None if validated is None else values_to_score(validated)
        return Judgement({name: float(losses.mean()) for name, losses in each.items()}, score)

    def _tile_losses(self, tiles: GreyStack) -> npt.NDArray[np.float64]:
        """Return the mean loss of each tile's first crop over time steps that are spread evenly."""
        side, steps = self.settings.crop, len(self.schedule)
        spread = torch.arange(JUDGED_NOISES)
        timesteps = ((spread + 0.5) / JUDGED_NOISES * steps).long()
        losses = []
        for number, tile in enumerate(tiles):
            crops = np.repeat(tile[None, :side, :side], JUDGED_NOISES, axis=0)
            keys = [key_of(STAGE, 0, "judged", number, k) for k in range(JUDGED_NOISES)]
            losses.append(self._errors(self.pairs(crops, timesteps, keys)).double().mean().item())
        return np.array(losses)

    def draw_previews(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Return some tiles, validation ones if there are any, what is given of them, and drawn."""
        tiles = self.judged.get("validation_loss", self.judged["train_loss"])[:SHOWN_TILES]
        small = pictures_to_low_resolution(tiles, FACTOR)
        told = (self.prompt, key_of(STAGE, "preview"), self.augmentation, PREVIEWS)
        blocks = small.repeat(FACTOR, 1).repeat(FACTOR, 2)
        return {
            "tiles": tiles,
            "as-given": np.rint(blocks).astype(np.uint8),
            "enlarged": np.stack([enlarge(self.upscaler, one, *told) for one in small]),
        }
