"""Models without prompts: trained from scratch, in pixels or in a base model's latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d import UNet2DModel
from numpy.typing import NDArray
from torch.nn import functional

from pipeline_lib.files import read_json
from pipeline_lib.models.cards import path_to_card
from pipeline_lib.models.decoders import load_autoencoder
from pipeline_lib.models.denoising import denoise
from pipeline_lib.models.devices import default_device
from pipeline_lib.models.loading import precision_to_dtype
from pipeline_lib.models.parts import read_part
from pipeline_lib.models.pictures import latents_to_intensities, vae_to_factor
from pipeline_lib.models.schedulers import build_scheduler
from pipeline_lib.settings.base import Precision, UserError
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.from_scratch import FROM_SCRATCH
from pipeline_lib.settings.resolutions import channels_to_factor

SCHEDULE = "scheduler/scheduler_config.json"
WHITE = 255.0


@dataclass(frozen=True)
class PixelCoding:
    """How grey tiles become what a network denoises: values of a known spread, in blocks.

    Attributes
    ----------
    mean, scale : float
        Grey is mean + scale * value.
    patch : int
        Side of the blocks of pixels that are the channels of one place.
    """

    mean: float
    scale: float
    patch: int

    def encode(self, tiles: NDArray[np.uint8]) -> torch.Tensor:
        """Return tiles (N, Y, X) as values, (N, patch^2, Y / patch, X / patch), float32."""
        grey = torch.from_numpy(np.ascontiguousarray(tiles)).float()
        return functional.pixel_unshuffle(((grey - self.mean) / self.scale)[:, None], self.patch)

    def to_intensities(self, values: torch.Tensor) -> NDArray[np.float32]:
        """Return the inverse of `encode`: (N, Y, X, 1), black at 0 and white at 1, not rounded."""
        grey = functional.pixel_shuffle(values.float(), self.patch) * self.scale + self.mean
        return (grey / WHITE).permute(0, 2, 3, 1).cpu().numpy()


@dataclass(frozen=True, eq=False)
class UnconditionalModel:
    """The parts of a model without prompts.

    Attributes
    ----------
    unet : UNet2DModel
        The denoiser; it has labels where the model has several concepts.
    scheduler_config : dict
        The noise schedule that it was trained with.
    folder : Path
        Where it lies, in the diffusers layout.
    card : dict
        brightbooth.json of the trained model.
    pixels : PixelCoding or None
        Of a model in pixels.
    vae : AutoencoderKL or None
        Of a model in latents (float32).
    """

    unet: UNet2DModel
    scheduler_config: dict[str, Any]
    folder: Path
    card: dict[str, Any]
    pixels: PixelCoding | None = None
    vae: AutoencoderKL | None = None

    @property
    def device(self) -> torch.device:
        """Return where the denoiser is."""
        return self.unet.device

    @property
    def precision(self) -> str:
        """Return what the denoiser computes in, as `settings.Precision` names it."""
        return str(self.unet.dtype).removeprefix("torch.")

    def value_shape(self, size: int) -> tuple[int, int, int]:
        """Return channels, height and width of what is denoised for pictures of a side in pixels.

        Raises
        ------
        UserError
            If the size does not suit the network.
        """
        pixels, vae = self.pixels, self.vae
        cell = pixels.patch if pixels else vae_to_factor(vae)
        multiple = cell * channels_to_factor(self.unet.config.block_out_channels)
        if size % multiple:
            raise UserError(
                f"a size of {size} pixels does not suit {self.folder}: its pictures need sides "
                f"that are multiples of {multiple}; set `tiles: {{size}}` of the datasets so"
            )
        return self.unet.config.in_channels, size // cell, size // cell

    def to_intensities(self, values: torch.Tensor) -> NDArray[np.float32]:
        """Return pictures (N, Y, X, channels), black at 0 and white at 1, not rounded."""
        if self.pixels is not None:
            return self.pixels.to_intensities(values)
        return latents_to_intensities(self, values)

    def label_of(self, concept: str) -> int | None:
        """Return the label of a concept, None where the model has one concept alone.

        Raises
        ------
        UserError
            If it was trained on others.
        """
        concepts = self.card["concepts"]
        if concept not in concepts:
            raise UserError(
                f"the model was trained on {', '.join(concepts)}, not on `{concept}`; sample a run "
                "whose datasets have that concept"
            )
        return concepts[concept].get("label")


def is_unconditional(path: Path | str) -> bool:
    """Say whether a model's folder, or its description, is of a model without prompts."""
    return read_json(path_to_card(path)).get("method") == FROM_SCRATCH


def load_unconditional(
    folder: Path | str,
    precision: Precision = "float32",
    device: torch.device | str | None = None,
) -> UnconditionalModel:
    """Load a model that was trained from scratch, frozen and in evaluation mode.

    Parameters
    ----------
    folder : Path or str
        Of the trained model.
    precision : {"float32", "bfloat16", "float16", "auto"}
        Of the denoiser.
    device : device or str, optional
        Default: the first GPU, else the CPU.

    Returns
    -------
    UnconditionalModel
        Its parts.
    """
    root = Path(folder)
    card = read_json(path_to_card(root))
    place = torch.device(device or default_device())
    coding = card.get("pixels")
    return UnconditionalModel(
        unet=read_part(UNet2DModel, root / "unet", precision_to_dtype(precision, place)).to(place),
        scheduler_config=read_json(root / SCHEDULE),
        folder=root,
        card=card,
        pixels=PixelCoding(**coding) if coding else None,
        vae=None if coding else load_autoencoder(root, place),
    )


def coding_to_record(coding: PixelCoding) -> dict[str, float]:
    """Return a coding for a model's card."""
    return asdict(coding)


@torch.no_grad()
def draw_unconditional(
    model: UnconditionalModel,
    label: int | None,
    keys: Sequence[int],
    sampler: Denoising,
    size: int,
    batch_size: int,
    on_step: Callable[[int], Any] | None = None,
) -> Iterator[torch.Tensor]:
    """Draw any number of pictures, batch by batch; picture k depends on key k alone.

    Parameters
    ----------
    model : UnconditionalModel
        The model.
    label : int or None
        The concept's, of `label_of`.
    keys : sequence of int
        One key a picture.
    sampler : Denoising
        Scheduler, its steps and their spacing; guidance is none.
    size : int
        Side of the pictures in pixels.
    batch_size : int
        Pictures made at once; the last batch may be smaller.
    on_step : callable, optional
        Called after each step with the number of pictures in the batch.

    Yields
    ------
    Tensor of float32, shape (batch, C, h, w)
        Clean values, for `UnconditionalModel.to_intensities`.
    """
    shape, dtype = model.value_shape(size), model.unet.dtype

    def predictor(values: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return predict_unconditional(model.unet, values.to(dtype), timestep, label)

    for start in range(0, len(keys), batch_size):
        some = keys[start : start + batch_size]
        scheduler = build_scheduler(
            sampler.scheduler, model.scheduler_config, sampler.steps, sampler.spacing
        )
        yield denoise(
            scheduler, predictor, some, shape, model.device, on_step, sampler.noise_divisor
        )


def predict_unconditional(
    unet: UNet2DModel,
    values: torch.Tensor,
    timesteps: torch.Tensor,
    labels: torch.Tensor | int | None,
) -> torch.Tensor:
    """Ask a denoiser for the velocity.

    Parameters
    ----------
    unet : UNet2DModel
        The denoiser.
    values : Tensor, shape (N, C, h, w)
        Noisy.
    timesteps : Tensor, shape (N,) or ()
        Their time steps.
    labels : Tensor, int or None
        Of each, of all, or none where the denoiser has none.

    Returns
    -------
    Tensor of float32, shape (N, C, h, w)
        Differentiable.
    """
    if isinstance(labels, int):
        labels = torch.full((len(values),), labels, device=values.device)
    return unet(values, timesteps, class_labels=labels, return_dict=False)[0].float()
