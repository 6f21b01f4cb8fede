"""Random numbers that depend on a key and a purpose alone."""

from __future__ import annotations

import zlib

import numpy as np

Key = int | tuple[int, ...]


def key_to_generator(key: Key, purpose: str) -> np.random.Generator:
    """Return a counter-based generator.

    Parameters
    ----------
    key : int or tuple of int
        Numbers of at least 0.
    purpose : str
        What the numbers are for: different purposes get unrelated numbers, so that drawing more
        for one leaves the others alone.

    Returns
    -------
    numpy.random.Generator
        A Philox generator in its initial state.
    """
    parts = (key,) if isinstance(key, int) else tuple(key)
    sequence = np.random.SeedSequence([*parts, zlib.crc32(purpose.encode())])
    return np.random.Generator(np.random.Philox(sequence))
