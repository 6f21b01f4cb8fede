"""Which images stand in which trial, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.randomness import key_of
from pipeline_lib.settings.base import UserError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes
    ----------
    target : int
        Position of the real image, counted from 0.
    real : int
        Number of the real image in its set.
    synthetic : tuple of int
        Numbers of the synthetic ones, for the other positions from left to right.
    """

    target: int
    real: int
    synthetic: tuple[int, ...]


@dataclass(frozen=True)
class TilePlaces:
    """Where real tiles were cut from.

    Attributes
    ----------
    sources : tuple of str
        Field of each tile.
    corners : ndarray
        (N, 2) y and x of each tile in pixels of its field, NaN where unknown.
    extents : ndarray
        (N, 2) height and width of each tile in pixels of its field.
    """

    sources: tuple[str, ...]
    corners: FloatArray
    extents: FloatArray


def possible_trials(asked: int, real: int, synthetic: int, alternatives: int) -> int:
    """Return the number of trials in which no image stands twice.

    Parameters
    ----------
    asked : int
        Most trials.
    real, synthetic : int
        Numbers of images.
    alternatives : int
        Images of a trial, one of them real.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    UserError
        If there is no image for one trial.
    """
    if real < 1 or synthetic < alternatives - 1:
        raise UserError(
            f"found {real} held-out tiles and {synthetic} usable synthetic images; one trial of "
            f"{alternatives} needs 1 and {alternatives - 1}: set `survey: alternatives: 2`, hold "
            "out a field, or raise the number of images of the prompt"
        )
    return min(asked, real, synthetic // (alternatives - 1))


def images_to_trials(
    places: TilePlaces, synthetic: int, alternatives: int, count: int, secret: str
) -> list[Trial]:
    """Choose images and positions.

    Parameters
    ----------
    places : TilePlaces
        Of all real tiles.
    synthetic : int
        Number of synthetic images to choose from.
    alternatives : int
        Images of a trial.
    count : int
        Number of trials, at most `possible_trials`.
    secret : str
        All choices are drawn by it: a seed alone could be guessed.

    Returns
    -------
    list of Trial
        Each image in one trial at most, real tiles spread over fields and over each field, each
        position as often the target as any other, up to one.
    """
    real = choose_tiles(places, count, _generator(secret, "tiles"))
    others = _generator(secret, "synthetic").permutation(synthetic)[: count * (alternatives - 1)]
    targets = balanced_positions(count, alternatives, _generator(secret, "positions"))
    rows = zip(targets, real, others.reshape(count, alternatives - 1), strict=True)
    return [Trial(int(target), int(tile), tuple(row.tolist())) for target, tile, row in rows]


def _generator(secret: str, what: str) -> np.random.Generator:
    """Return a counter-based generator of its own for each kind of choice."""
    return np.random.Generator(np.random.Philox(key=key_of("survey", 0, secret, what)))


def balanced_positions(count: int, alternatives: int, generator: np.random.Generator) -> IntArray:
    """Return positions of targets, each as often as any other up to one, shuffled.

    Which positions come once more, where the count does not divide, is drawn as well.
    """
    positions = generator.permutation(alternatives)[np.arange(count) % alternatives]
    return generator.permutation(positions)


def choose_tiles(places: TilePlaces, count: int, generator: np.random.Generator) -> IntArray:
    """Choose tiles, from each field in turn, those first that share least with chosen ones.

    Parameters
    ----------
    places : TilePlaces
        Of all tiles.
    count : int
        How many, at most as many as there are tiles.
    generator : Generator
        For the order of fields and of tiles that are equally good.

    Returns
    -------
    ndarray of int
        (count,) numbers of unlike tiles in random order. A field gives as many as any other, up to
        one, unless it has no more. Two tiles with common ground, also at two times, show the same
        cells, and a picture that comes again can only be real.
    """
    fields = generator.permutation(sorted(set(places.sources)))
    sources = np.array(places.sources)
    orders = [
        _spread_order(places, generator.permutation(np.flatnonzero(sources == field)))
        for field in fields
    ]
    # Sorting by rank within the field deals one tile from each field in turn.
    ranks = np.concatenate([np.arange(len(order)) for order in orders])
    dealt = np.concatenate(orders)[np.argsort(ranks, kind="stable")]
    return generator.permutation(dealt[:count])


def _spread_order(places: TilePlaces, tiles: IntArray) -> IntArray:
    """Order one field's tiles: next always the one that shares least with those before."""
    order, shared = [], np.zeros(len(tiles))
    for _ in tiles:
        nearest = int(np.argmin(shared))
        order.append(tiles[nearest])
        shared = np.maximum(shared, overlap_shares(places, int(tiles[nearest]), tiles))
        shared[nearest] = np.inf
    return np.array(order)


def overlap_shares(places: TilePlaces, tile: int, others: Sequence[int] | IntArray) -> FloatArray:
    """Return which share of a tile's ground each of other tiles of its field has in common with it.

    Parameters
    ----------
    places : TilePlaces
        Of all tiles.
    tile : int
        Number of the tile.
    others : sequence of int
        Numbers of tiles of the same field.

    Returns
    -------
    ndarray
        0 to 1; unknown places share nothing.
    """
    low = np.maximum(places.corners[tile], places.corners[others])
    ends = places.corners + places.extents
    common = np.clip(np.minimum(ends[tile], ends[others]) - low, 0, None)
    return np.nan_to_num((common / places.extents[tile]).prod(axis=1))


def count_overlapping(places: TilePlaces, tiles: Sequence[int]) -> int:
    """Return how many of some tiles have ground in common with another of them."""
    sources = np.array(places.sources)
    chosen = np.array(tiles)
    return sum(
        bool(overlap_shares(places, tile, others).any())
        for tile in chosen
        if len(others := chosen[(sources[chosen] == sources[tile]) & (chosen != tile)])
    )


def trials_to_notes(asked: int, places: TilePlaces, trials: Sequence[Trial]) -> tuple[str, ...]:
    """Say what limits a survey: numbers, fields and tiles with common ground.

    Parameters
    ----------
    asked : int
        Trials that were asked for.
    places : TilePlaces
        Of all real tiles.
    trials : sequence of Trial
        What was made.

    Returns
    -------
    tuple of str
        Sentences, none where nothing is to be said.
    """
    tiles = [trial.real for trial in trials]
    fields = len({places.sources[tile] for tile in tiles})
    overlapping = count_overlapping(places, tiles)
    notes = []
    if len(trials) < asked:
        notes.append(
            f"{len(trials)} trials instead of {asked}: no image is shown twice, and there are no "
            "more."
        )
    if overlapping:
        notes.append(
            f"{overlapping} of the {len(tiles)} real tiles show ground that another one shows too; "
            "a rater who notices knows them for real."
        )
    if fields < len(tiles):
        notes.append(
            f"The {len(tiles)} real tiles come from {_fields(fields)}; trials of one field are not "
            "independent."
        )
    if np.isnan(places.corners[tiles]).any():
        notes.append("Where the real tiles were cut is not known; they may overlap.")
    return tuple(notes)


def _fields(count: int) -> str:
    """Return a number of fields in words."""
    return "one field" if count == 1 else f"{count} fields"
