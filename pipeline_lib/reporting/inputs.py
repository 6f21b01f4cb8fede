"""The files of a run, opened for its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.image_sets import read_manifests, rows_to_images
from pipeline_lib.files import read_json
from pipeline_lib.frames import read_frame
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata
from pipeline_lib.reporting.times import Took, record_to_took, together
from pipeline_lib.sampling.manifests import USABLE
from pipeline_lib.settings.base import UserError

Images = npt.NDArray[np.uint8]
MEASURED_IMAGES = 200
SHOWN_CLASS_IMAGES = 8
METRIC_COLUMNS = (
    *("metric", "extractor", "concept", "set", "reference"),
    *("value", "low", "high", "n_reference", "n_synthetic", "fields", "flags"),
)


@dataclass(frozen=True)
class Samples:
    """Images drawn from one model for one concept.

    Attributes
    ----------
    manifest : DataFrame
        The concept's rows of all shards by index, with columns ``path`` and ``name``.
    first : ndarray of uint8, shape (images, rows, columns)
        The first usable images by index, at most `MEASURED_IMAGES`.
    """

    manifest: pd.DataFrame
    first: Images

    def unusable(self) -> dict[str, int]:
        """Return how many images are no pictures, by status."""
        status = self.manifest["status"]
        return status[status != USABLE].value_counts().to_dict()


@dataclass(frozen=True)
class ConceptFiles:
    """Values from the files of one concept; arrays are stacks (images, rows, columns) of uint8."""

    train: Images
    holdout: Images
    roundtrip: Images
    tuned: Samples
    untuned: Samples
    quality: pd.DataFrame
    split: pd.DataFrame
    intensity: Mapping[str, Any]
    train_table: pd.DataFrame
    holdout_table: pd.DataFrame
    camera: Mapping[str, Any] | None = None
    decoder: Mapping[str, Any] | None = None
    in_pixels: bool = False


@dataclass(frozen=True)
class ClassImages:
    """Some pictures of one prior, and the time that drawing all of its shards took.

    Attributes
    ----------
    prompt : str
        What the base model was asked for.
    first : ndarray of uint8, shape (images, rows, columns, 3)
        The first pictures by index.
    count : int
        Pictures of the whole prior.
    took : Took
        Time and device.
    """

    prompt: str
    first: Images
    count: int
    took: Took


@dataclass(frozen=True)
class RunFiles:
    """Values from the files of one run, and the SHA-256 of the tables and the model's card."""

    metrics: pd.DataFrame
    copies: pd.DataFrame
    objects: pd.DataFrame
    counts: pd.DataFrame
    similarities: pd.DataFrame
    windows: Sequence[Images]
    history: pd.DataFrame
    previews: bytes
    card: Mapping[str, Any]
    sidecars: Sequence[Mapping[str, Any]]
    hashes: Mapping[str, str]
    concepts: Mapping[str, ConceptFiles]
    class_images: Sequence[ClassImages]
    sampling: Mapping[str, Took]
    sweep: pd.DataFrame | None = None


def read_metrics(path: Path) -> pd.DataFrame:
    """Return the table of metrics.csv.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DataFrame
        Columns `metric`, `extractor`, `concept`, `set`, `reference`, `flags` as text.
    """
    frame = read_frame(path)
    missing = [column for column in METRIC_COLUMNS if column not in frame]
    if missing:
        raise UserError(f"{path} is no table of metrics: it lacks the columns {', '.join(missing)}")
    return frame


def read_samples(rows: pd.DataFrame, concept: str) -> Samples:
    """Return the images of one concept in some shards.

    Parameters
    ----------
    rows : DataFrame
        Of the shards' manifests, of any concepts.
    concept : str
        Whose images.

    Returns
    -------
    Samples
        Ordered by index.

    Raises
    ------
    UserError
        If no shard holds an image of the concept, usable or not.
    """
    own = rows[rows["concept"] == concept]
    if not len(own):
        raise UserError(f"no image of concept {concept} among the {len(rows)} of the shards")
    usable = own[own["status"] == USABLE]
    return Samples(own, rows_to_images(usable.head(MEASURED_IMAGES)).images)


def read_class_images(shards: Sequence[Path]) -> list[ClassImages]:
    """Return some pictures of each prior.

    Parameters
    ----------
    shards : sequence of Path
        Stacks of class images of any priors, those of one prior in order.

    Returns
    -------
    list of ClassImages
        One for each class prompt, in order of appearance.
    """
    by_prompt: dict[str, list[tuple[Path, Mapping[str, Any]]]] = {}
    for path in shards:
        metadata = read_stack_metadata(path)
        prompt = metadata["settings"]["prior"]["class_prompt"]
        by_prompt.setdefault(prompt, []).append((path, metadata))
    return [
        ClassImages(
            prompt,
            read_stack(own[0][0])[:SHOWN_CLASS_IMAGES],
            sum(metadata["settings"]["count"] for _, metadata in own),
            together([record_to_took(metadata) for _, metadata in own]),
        )
        for prompt, own in by_prompt.items()
    ]


def read_concepts(
    names: Sequence[str], lists: Mapping[str, Sequence[Path]], shards: Mapping[str, Sequence[Path]]
) -> dict[str, ConceptFiles]:
    """Read the files of each concept.

    Parameters
    ----------
    names : sequence of str
        Concepts in the order of the lists.
    lists : mapping
        By kind of file (``train_tiles``, ``quality``, ...): one path for each concept. Without
        ``cameras``, no camera noise was given back.
    shards : mapping
        Shards of all concepts: ``tuned`` and ``untuned``.

    Returns
    -------
    dict
        By concept.

    Raises
    ------
    UserError
        If a list has another number of paths than there are concepts.
    """
    for kind, paths in lists.items():
        if len(paths) != len(names):
            raise UserError(
                f"--{kind.replace('_', '-')} needs one path for each concept "
                f"({', '.join(names)}), found {len(paths)}"
            )
    drawn = {kind: read_manifests(paths) for kind, paths in shards.items()}
    return {
        name: _read_concept(name, {kind: paths[index] for kind, paths in lists.items()}, drawn)
        for index, name in enumerate(names)
    }


def with_space(
    concepts: Mapping[str, ConceptFiles], card: Mapping[str, Any]
) -> dict[str, ConceptFiles]:
    """Tell concepts whether their model draws pixels, by its card."""
    return {name: replace(files, in_pixels="pixels" in card) for name, files in concepts.items()}


def with_decoder_costs(
    concepts: Mapping[str, ConceptFiles], datasets: Mapping[str, str], paths: Sequence[Path]
) -> dict[str, ConceptFiles]:
    """Give concepts what their tuned decoders cost.

    Parameters
    ----------
    concepts : mapping
        By name.
    datasets : mapping
        Dataset of each concept.
    paths : sequence of Path
        Figures of the datasets whose decoder was tuned (.json), in any order.

    Returns
    -------
    dict
        By name.
    """
    costs = {cost["dataset"]: cost for cost in map(read_json, paths)}
    return {
        name: replace(files, decoder=costs.get(datasets[name])) for name, files in concepts.items()
    }


def _read_concept(
    name: str, paths: Mapping[str, Path], drawn: Mapping[str, pd.DataFrame]
) -> ConceptFiles:
    """Read the files of one concept."""
    return ConceptFiles(
        train=read_stack(paths["train_tiles"]),
        holdout=read_stack(paths["holdout_tiles"]),
        roundtrip=read_stack(paths["roundtrips"]),
        tuned=read_samples(drawn["tuned"], name),
        untuned=read_samples(drawn["untuned"], name),
        quality=read_frame(paths["quality"]),
        split=read_frame(paths["splits"]),
        intensity=read_json(paths["intensities"]),
        train_table=read_frame(paths["train_tables"]),
        holdout_table=read_frame(paths["holdout_tables"]),
        camera=read_json(paths["cameras"]) if "cameras" in paths else None,
    )
