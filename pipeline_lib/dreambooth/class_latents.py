"""Real class images as the latents that the frozen base model would have drawn."""

from __future__ import annotations

import torch

from pipeline_lib.dreambooth.latents import GreyStack, tiles_to_moments
from pipeline_lib.imaging.views import View
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.pictures import scale_latents
from pipeline_lib.randomness import key_of, keys_to_noise


def class_images_to_latents(
    model: BaseModel, images: GreyStack, name: str, batch_size: int
) -> torch.Tensor:
    """Encode class images and draw each latent from its posterior, once.

    Parameters
    ----------
    model : BaseModel
        Its VAE encodes.
    images : ndarray
        Grey images, (images, height, width), 8 bits.
    name : str
        The prior's name, part of each image's key.
    batch_size : int
        Images encoded at once.

    Returns
    -------
    torch.Tensor
        Scaled as the UNet sees them, (images, channels, h, w), float32 on the CPU; a pure function
        of model, image, name and place in the stack.

    Raises
    ------
    UserError
        If a side is not a multiple of the VAE's downsampling.
    """
    mean, std = (part[:, 0] for part in tiles_to_moments(model, images, (View(),), batch_size))
    keys = [key_of("prior", 0, name, "posterior", index) for index in range(len(images))]
    drawn = mean + std * torch.from_numpy(keys_to_noise(keys, mean.shape[1:]))
    return scale_latents(model, drawn).contiguous()
