"""What each slot of each training step is made of, as pure functions of (seed, step, slot).

Nothing here has a state: a resumed run, or one with another batch size, draws the same for the same
slot. Noise is drawn from the keys by `pipeline_lib.randomness`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline_lib.randomness import key_of

STAGE = "finetune"
GOLDEN = (math.sqrt(5) - 1) / 2
Half = Literal["subject", "prior"]


@dataclass(frozen=True)
class Source:
    """How much there is to draw from: the images of one concept, and the views of each."""

    images: int
    views: int


@dataclass(frozen=True)
class Draw:
    """What one slot of one step is made of.

    Parameters
    ----------
    concept : int
        Index of the concept among the sources.
    image, view : int
        Which image of the concept, and which of its views.
    place : int
        0 to `places` - 1, where on the distribution of time steps it lies.
    latent_key, noise_key : int
        64-bit keys of the latent's own draw (mean + std * noise) and of the diffusion noise.
    dropped : bool
        Whether it is trained on the empty prompt.
    """

    concept: int
    image: int
    view: int
    place: int
    latent_key: int
    noise_key: int
    dropped: bool = False


def slot_to_draw(
    seed: int,
    half: Half,
    step: int,
    slot: int,
    sources: Sequence[Source],
    places: int,
    dropout: float = 0.0,
) -> Draw:
    """Return what a slot is made of.

    Concepts take turns, so that each has every slot equally often. Images are drawn without
    replacement along a slot and differ between the slots of a step (`turn_to_image`); places on
    the distribution of time steps are stratified over the slots of a step and uniform in each
    (`slot_to_place`); views are uniform; each sample loses its prompt by itself.

    Parameters
    ----------
    seed : int
        Seed of the run.
    half : {"subject", "prior"}
        Half of the batch; the two share no draws.
    step, slot : int
        Step from 0, place in the half of the batch from 0.
    sources : sequence of Source
        The concepts that take turns.
    places : int
        Number of equally likely places on the distribution of time steps.
    dropout : float
        Share of the samples that are trained on the empty prompt; shapes nothing else.

    Returns
    -------
    Draw
        Independent of the batch size and of every other step.
    """
    concept = (slot + step) % len(sources)
    turn, lane = step // len(sources), slot // len(sources)
    order_key = key_of(STAGE, seed, f"{half} order {slot % len(sources)}", concept)
    image = turn_to_image(order_key, turn, lane, sources[concept].images)
    view = key_of(STAGE, seed, f"{half} view {slot}", step) * sources[concept].views >> 64
    return Draw(
        concept=concept,
        image=image,
        view=view,
        place=slot_to_place(seed, half, step, slot, places),
        latent_key=key_of(STAGE, seed, f"{half} latent {slot}", step),
        noise_key=key_of(STAGE, seed, f"{half} noise {slot}", step),
        dropped=key_of(STAGE, seed, f"{half} prompt {slot}", step) < dropout * 2**64,
    )


def turn_to_image(order_key: int, turn: int, lane: int, images: int) -> int:
    """Return the image at a turn of a lane.

    Each epoch of `images` turns has its own order. Within it a turn starts at a place that moves by
    a golden-ratio stride, and lane k takes the k-th image from there: the lanes of a turn differ,
    every lane meets every image once an epoch, and any run of turns covers the images evenly.

    Parameters
    ----------
    order_key : int
        64-bit key of the orders.
    turn, lane : int
        From 0.
    images : int
        Number of images, at least 1.

    Returns
    -------
    int
        0 to `images` - 1.
    """
    epoch, place = divmod(turn, images)
    order = _epoch_to_order(order_key, epoch, images)
    return int(order[(place * _golden_stride(images) + lane) % images])


@lru_cache(maxsize=64)
def _epoch_to_order(order_key: int, epoch: int, images: int) -> npt.NDArray[np.int64]:
    """Return the order of the images in one epoch."""
    key = np.array([order_key, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(images)


@lru_cache(maxsize=64)
def _golden_stride(images: int) -> int:
    """Return the number without common factor with `images` that is nearest to its golden part."""
    candidates = (n for n in range(1, images + 1) if math.gcd(n, images) == 1)
    return min(candidates, key=lambda n: abs(n - GOLDEN * images))


def slot_to_place(seed: int, half: Half, step: int, slot: int, places: int) -> int:
    """Return a slot's place: one random offset a step plus the slot's van der Corput number.

    Any number of first slots is spread evenly over the places (perfectly for powers of two),
    whatever the batch size, and each slot by itself is uniform.

    Parameters
    ----------
    seed : int
        Seed of the run.
    half : {"subject", "prior"}
        Half of the batch.
    step, slot : int
        From 0.
    places : int
        Number of equally likely places.

    Returns
    -------
    int
        0 to `places` - 1.
    """
    offset = key_of(STAGE, seed, f"{half} time", step)
    reversed_bits = int(f"{slot:064b}"[::-1], 2)
    return ((offset + reversed_bits) % 2**64) * places >> 64
