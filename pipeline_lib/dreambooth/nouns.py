"""Class nouns compared: with which the frozen base model denoises the training tiles best.

The class noun ties the subject to what the model knows (DreamBooth, arXiv 2208.12242, section 3.2).
The model's own loss says how well a word fits pictures, as in zero-shot classification by diffusion
models (Li et al. 2023, arXiv 2303.16203): time steps and noise are the same for every word, so that
their large common part falls out of the differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.dreambooth.losses import training_target
from pipeline_lib.models.conditioning import encode_prompts
from pipeline_lib.models.denoising import predict
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.randomness import key_of, keys_to_noise

STAGE = "nouns"
TileLosses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ComparedNoun:
    """A noun's mean loss, and its difference to the chosen noun's; rank 1 has the lowest loss.

    Attributes
    ----------
    rank : int
        From 1.
    noun : str
        The class noun.
    loss : float
        Mean over tiles, time steps and latents of the squared error.
    difference : float
        That minus the chosen noun's: below 0 the model finds this one more fitting.
    standard_error : float or None
        Of the difference, by the tiles' own differences; none of a single tile. Tiles of one field
        are alike, so that it tells too little where fields are few.
    tiles : int
        Number of tiles.
    """

    rank: int
    noun: str
    loss: float
    difference: float
    standard_error: float | None
    tiles: int


@torch.no_grad()
def nouns_to_losses(
    model: BaseModel,
    latents: torch.Tensor,
    prompts: Sequence[str],
    timesteps: int,
    seed: int = 0,
    on_tile: Callable[[int], object] | None = None,
) -> TileLosses:
    """Return the frozen model's loss on each tile, told each prompt.

    Parameters
    ----------
    model : BaseModel
        The frozen base model.
    latents : torch.Tensor
        Scaled latents of the tiles, (tiles, channels, h, w).
    prompts : sequence of str
        One a noun.
    timesteps : int
        Time steps of each tile, in the middle of as many equal parts of the schedule.
    seed : int
        Seed of the noise; each tile and time step has its own, the same for every prompt.
    on_tile : callable, optional
        Called with 1 after each tile.

    Returns
    -------
    ndarray, shape (prompts, tiles)
        Mean squared errors.
    """
    scheduler = noise_schedule(model.scheduler_config)
    quantiles = (torch.arange(timesteps) + 0.5) / timesteps
    times = (quantiles * len(scheduler)).long().to(model.device)
    size = latents.shape[-1] * model.description.downsampling
    embeddings = [encode_prompts(model, [prompt]).repeated(timesteps) for prompt in prompts]
    losses = np.empty((len(prompts), len(latents)))
    for tile, clean in enumerate(latents.to(model.device)):
        keys = [key_of(STAGE, seed, tile, number) for number in range(timesteps)]
        noise = torch.from_numpy(keys_to_noise(keys, clean.shape)).to(clean.device)
        copies = clean.expand_as(noise)
        noisy = scheduler.add_noise(copies, noise, times)
        target = training_target(scheduler, copies, noise, times)
        for row, embedding in enumerate(embeddings):
            answer = predict(model, noisy, times, embedding, size)
            losses[row, tile] = float((answer - target).square().mean())
        if on_tile is not None:
            on_tile(1)
    return losses


def losses_to_ranking(nouns: Sequence[str], losses: TileLosses) -> list[ComparedNoun]:
    """Rank nouns by their mean loss, each compared tile by tile with the first one.

    Parameters
    ----------
    nouns : sequence of str
        The chosen noun first.
    losses : ndarray, shape (nouns, tiles)
        Of `nouns_to_losses`.

    Returns
    -------
    list of ComparedNoun
        In the order of rank; equal losses in the order given.
    """
    tiles = losses.shape[1]
    differences = losses - losses[0]
    means = losses.mean(axis=1)
    order = np.argsort(means, kind="stable")
    return [
        ComparedNoun(
            rank,
            nouns[row],
            float(means[row]),
            float(differences[row].mean()),
            float(differences[row].std(ddof=1) / np.sqrt(tiles)) if tiles > 1 else None,
            tiles,
        )
        for rank, row in enumerate(order, start=1)
    ]
