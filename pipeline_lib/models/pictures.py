"""Between pictures and latents: the autoencoder's two halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from numpy.typing import NDArray

from pipeline_lib.settings.resolutions import channels_to_factor

# What the autoencoder is given at once: its memory, some 3 GB, grows with the pixels.
PIXELS_AT_ONCE = 1024 * 1024


class Encoding(Protocol):
    """A model of which the autoencoder is used."""

    @property
    def vae(self) -> AutoencoderKL:
        """The autoencoder."""
        ...


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A base model's autoencoder alone."""

    vae: AutoencoderKL


@torch.no_grad()
def images_to_moments(
    model: Encoding, images: NDArray[np.uint8]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode grey pictures.

    Parameters
    ----------
    model : Encoding
        Its autoencoder is used.
    images : ndarray of uint8, shape (N, Y, X)
        Grey pictures; each becomes three equal channels between -1 and 1.

    Returns
    -------
    mean, std : Tensor of float32, shape (N, C, Y / f, X / f)
        Moments of the latents as the autoencoder gives them, before `scale_latents`.
    """
    if images.dtype != np.uint8:
        raise TypeError(f"pictures must be uint8, found {images.dtype}")
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(model.vae.device)
    grey = pixels.to(model.vae.dtype).div(127.5).sub(1)
    moments = [
        model.vae.encode(part[:, None].expand(-1, 3, -1, -1)).latent_dist
        for part in grey.split(_pictures_at_once(*images.shape[1:]))
    ]
    mean, std = (torch.cat([getattr(one, name) for one in moments]) for name in ("mean", "std"))
    return mean.float(), std.float()


def scale_latents(model: Encoding, latents: torch.Tensor) -> torch.Tensor:
    """Return latents of the autoencoder as the UNet sees them, of about unit variance."""
    config = model.vae.config
    return (latents - (config.shift_factor or 0.0)) * config.scaling_factor


def unscale_latents(model: Encoding, latents: torch.Tensor) -> torch.Tensor:
    """Return latents of the UNet as the autoencoder takes them: the inverse of `scale_latents`."""
    config = model.vae.config
    return latents / config.scaling_factor + (config.shift_factor or 0.0)


@torch.no_grad()
def latents_to_intensities(model: Encoding, latents: torch.Tensor) -> NDArray[np.float32]:
    """Decode latents.

    Parameters
    ----------
    model : Encoding
        Its autoencoder is used.
    latents : Tensor, shape (N, C, h, w)
        As the UNet sees them.

    Returns
    -------
    ndarray of float32, shape (N, Y, X, 3)
        0 is black and 1 is white; values may lie outside, and are NaN where the latents are.
    """
    whole = unscale_latents(model, latents.float()).to(model.vae.device, model.vae.dtype)
    factor = vae_to_factor(model.vae)
    at_once = _pictures_at_once(*(side * factor for side in latents.shape[2:]))
    decoded = torch.cat([model.vae.decode(part).sample for part in whole.split(at_once)])
    return decoded.float().add(1).div(2).permute(0, 2, 3, 1).cpu().numpy()


def vae_to_factor(vae: AutoencoderKL) -> int:
    """Return how many pixels a side of a picture has for one of its latents."""
    return channels_to_factor(vae.config.block_out_channels)


def _pictures_at_once(height: int, width: int) -> int:
    """Return how many pictures of a size the autoencoder is given at once."""
    return max(1, PIXELS_AT_ONCE // (height * width))


def latents_to_images(model: Encoding, latents: torch.Tensor) -> NDArray[np.uint8]:
    """Decode latents to 8-bit colour pictures.

    Parameters
    ----------
    model : Encoding
        Its autoencoder is used.
    latents : Tensor, shape (N, C, h, w)
        As the UNet sees them.

    Returns
    -------
    ndarray of uint8, shape (N, Y, X, 3)
        Pictures.
    """
    return intensities_to_bytes(latents_to_intensities(model, latents))


def intensities_to_bytes(intensities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return intensities between 0 and 1 as 8-bit values; NaN becomes black."""
    clipped = np.clip(np.nan_to_num(intensities, nan=0.0), 0.0, 1.0)
    return np.rint(clipped * np.float32(255)).astype(np.uint8)


def intensities_to_grey(intensities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the colour channels without rounding.

    Parameters
    ----------
    intensities : ndarray of float32, shape (..., 3)
        From `latents_to_intensities`.

    Returns
    -------
    ndarray of float32, shape (...)
        Grey levels 0 to 255; colours are cut off at black and white, NaN becomes black.
    """
    clipped = np.clip(np.nan_to_num(intensities, nan=0.0), 0.0, 1.0)
    return clipped.mean(axis=-1) * np.float32(255)


def rgb_to_grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean of the colour channels.

    Parameters
    ----------
    images : ndarray of uint8, shape (..., 3)
        Pictures of a grey subject: their channels differ by the autoencoder's error alone, which
        the plain mean reduces most.

    Returns
    -------
    ndarray of uint8, shape (...)
        Grey pictures, rounded to the nearest value.
    """
    total = images.sum(axis=-1, dtype=np.uint16)
    return ((total * 2 + 3) // 6).astype(np.uint8)
