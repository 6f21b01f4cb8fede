"""What is told of a release: its images, its model and the files that this was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import pandas as pd

from pipeline_lib.files import provenance
from pipeline_lib.settings.from_scratch import FROM_SCRATCH
from pipeline_lib.settings.release import ReleaseSettings

Card = Mapping[str, Any]
TOLD_OF_MODEL = ("name", "base", "licence", "settings", "files")
SUFFIXES = {"ome-tiff": ".tif", "tiff": ".tif", "png": ".png"}
MEDIA_TYPES = {".tif": "image/tiff", ".png": "image/png"}


@dataclass(frozen=True)
class Source:
    """A file whose parts were training tiles: its name without folders, and its SHA-256."""

    concept: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Release:
    """A release, as its cards and descriptions tell of it.

    Attributes
    ----------
    run : str
        Name of the run.
    settings : ReleaseSettings
        Scale, format, licence and so on.
    images : DataFrame
        The released images: the manifest's rows with ``file``, ``caption`` and ``pixel_size_um``.
    held_back : Series
        How many images stayed behind, by reason.
    card : mapping
        brightbooth.json of the trained model.
    base : mapping
        Description of its base model.
    sources : tuple of Source
        What the model was trained on.
    """

    run: str
    settings: ReleaseSettings
    images: pd.DataFrame
    held_back: pd.Series
    card: Card
    base: Card
    sources: tuple[Source, ...]

    @property
    def suffix(self) -> str:
        """Return the ending of the images' files."""
        return SUFFIXES[self.settings.format]

    @property
    def pattern(self) -> str:
        """Return the glob pattern of the images' files: concept, prompt, number."""
        return f"*/*/*{self.suffix}"

    @property
    def media_type(self) -> str:
        """Return the images' media type."""
        return MEDIA_TYPES[self.suffix]

    @property
    def modalities(self) -> list[str]:
        """Return the light of the concepts in words, each once."""
        told = (concept["modality"] for concept in self.card["concepts"].values())
        return list(dict.fromkeys(modality.replace("_", " ") for modality in told))

    @property
    def file_count(self) -> int:
        """Return how many files it was trained on; one that two concepts use counts once."""
        return len({source.sha256 for source in self.sources})

    @property
    def from_scratch(self) -> bool:
        """Whether the model is one without prompts, which no base model is part of."""
        return self.card.get("method") == FROM_SCRATCH

    @property
    def base_address(self) -> str:
        """Return the base model's repository on the hub, empty if it is from elsewhere."""
        entry = self.base.get("provenance", {}).get("settings", {}).get("entry", {})
        return entry.get("repository", "") or ""


def trained_sources(tables: Mapping[str, pd.DataFrame], sidecars: Sequence[Card]) -> list[Source]:
    """Return the files that training tiles were cut from.

    Parameters
    ----------
    tables : mapping
        Table of the training tiles of each concept.
    sidecars : sequence of mapping
        Of fields, with ``source``, ``file`` and ``sha256``; those of other fields are left out.

    Returns
    -------
    list of Source
        Each file once a concept, however many fields it holds, in the order of the concepts, then
        of the files' names. Folders are left out of the names:
        they tell of a machine and not of an image.
    """
    known = {sidecar["source"]: sidecar for sidecar in sidecars}
    found = [
        Source(concept, PurePath(known[name]["file"]).name, known[name]["sha256"])
        for concept, table in tables.items()
        for name in table["source"].astype(str).unique()
        if name in known
    ]
    order = list(tables)
    return sorted(
        dict.fromkeys(found), key=lambda source: (order.index(source.concept), source.file)
    )


def held_back_by_reason(held_back: pd.DataFrame) -> pd.Series:
    """Return how many images stayed behind, by the reason's first words."""
    reasons = held_back["why"].astype(str).str.split(r" of |: ", regex=True, n=1).str[0]
    return reasons.value_counts()


def release_to_provenance(release: Release, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Return what made a release: settings, versions, model, base model, files and hashes.

    Parameters
    ----------
    release : Release
        What is known of it.
    inputs : mapping
        SHA-256 of what it was made of, by name.

    Returns
    -------
    dict
        JSON-able.
    """
    card = release.card
    return {
        **provenance("release", release.settings.model_dump(), **inputs),
        "synthetic": True,
        "run": release.run,
        "model": {name: card.get(name) for name in TOLD_OF_MODEL},
        "trained_by": card.get("provenance"),
        "base": {"repository": release.base_address, "files": release.base.get("files")},
        "sources": [asdict(source) for source in release.sources],
    }
