"""What a checked study is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.extractors import ExtractorEntry
from pipeline_lib.settings.from_scratch import FROM_SCRATCH, ScratchSettings
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.sampling import Prompt
from pipeline_lib.settings.splitting import SourceRegion
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.settings.training import TrainingSettings

UNTUNED = "base-"
AUTO = "auto"  # in the place of an identifier: the weakest that is measured for the noun


@dataclass(frozen=True)
class KnownMasks:
    """Where the known objects of a raw file stand: a file, or a channel of the same one."""

    path: Path
    reading: ReadingSettings


@dataclass(frozen=True)
class Source:
    """One raw file of a concept."""

    name: str
    path: Path
    reading: ReadingSettings
    accepted: bool
    masks: KnownMasks | None = None


@dataclass(frozen=True)
class Run:
    """One model to train, with everything looked up."""

    name: str
    base: str
    concepts: tuple[TrainedConcept, ...]
    priors: tuple[str | None, ...]
    training: TrainingSettings | ScratchSettings
    size: int

    @property
    def from_scratch(self) -> bool:
        """Whether it starts from no base model, and reads no prompt."""
        return self.training.method == FROM_SCRATCH

    @property
    def in_pixels(self) -> bool:
        """Whether it draws pixels, without the base model's autoencoder."""
        return isinstance(self.training, ScratchSettings) and self.training.space == "pixels"

    def trained(self, concept: str) -> TrainedConcept:
        """Return what it trains of one of its concepts."""
        return next(one for one in self.concepts if one.concept == concept)


@dataclass(frozen=True)
class ImageSet:
    """The images of one model and prompt."""

    model: str
    base: str
    run: str | None
    dataset: str
    concept: str
    prompt_name: str
    prompt: Prompt
    size: int
    count: int
    identifier: bool = True

    @property
    def folder(self) -> str:
        """Return the set's folder name below the model's."""
        return image_folder(self.dataset, self.prompt_name)


@dataclass(frozen=True)
class Study:
    """The checked configuration with sheets read and names looked up."""

    configuration: Configuration
    bases: Mapping[str, BaseModelEntry]
    extractors: Mapping[str, ExtractorEntry]
    judges: Mapping[str, ExtractorEntry]
    distances: Mapping[str, ExtractorEntry]
    sources: Mapping[str, Mapping[str, Source]]
    regions: Mapping[str, tuple[SourceRegion, ...]]
    runs: Mapping[str, Run]
    image_sets: Mapping[tuple[str, str], ImageSet]
    prior_files: Mapping[str, tuple[Path, ...]]
    blanks: Mapping[str, Path]

    @property
    def used_datasets(self) -> list[str]:
        """The datasets that runs train on, in the order of the configuration."""
        used = {one.dataset for run in self.runs.values() for one in run.concepts}
        return [name for name in self.configuration.datasets if name in used]

    @property
    def used_extractors(self) -> dict[str, ExtractorEntry]:
        """All that is used of the registry of extractors, for whatever end."""
        return {**self.judges, **self.extractors, **self.distances}


def image_folder(dataset: str, prompt_name: str) -> str:
    """Return the name of the folder that holds a model's images of one dataset and prompt."""
    return f"{dataset}-{prompt_name}"
