"""Keys, and the noise that is a pure function of a key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def key_of(stage: str, seed: int, *parts: str | int) -> int:
    """Return the key of one draw: a hash, so that no two draws share noise.

    Parameters
    ----------
    stage : str
        What is drawn, for example ``"prior"`` or ``"sample"``.
    seed : int
        Seed of the settings. Hashed, so that seeds 0 and 1 have no draw in common.
    *parts : str or int
        What tells this draw from the others of the stage: name, global index, step.

    Returns
    -------
    int
        The first 64 bits of a SHA-256.

    Examples
    --------
    >>> f"{key_of('sample', 0, 'subject', 41):016x}"
    '5b6eba72d7b9075b'
    """
    text = json.dumps([stage, seed, *parts])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def key_to_noise(key: int, shape: Sequence[int]) -> NDArray[np.float32]:
    """Return standard normal noise by the counter-based generator Philox.

    Parameters
    ----------
    key : int
        From `key_of`, 0 to 2**64 - 1.
    shape : sequence of int
        Shape of the array.

    Returns
    -------
    ndarray of float32
        A pure function of key and shape.
    """
    generator = np.random.Generator(np.random.Philox(key=key))
    return generator.standard_normal(tuple(shape), dtype=np.float32)


def keys_to_noise(keys: Sequence[int], shape: Sequence[int]) -> NDArray[np.float32]:
    """Return the noise of several keys, stacked along a new first axis.

    Parameters
    ----------
    keys : sequence of int
        One key an item.
    shape : sequence of int
        Shape of one item.

    Returns
    -------
    ndarray of float32, shape (len(keys), *shape)
        Item k depends on key k alone.
    """
    return np.stack([key_to_noise(key, shape) for key in keys])
