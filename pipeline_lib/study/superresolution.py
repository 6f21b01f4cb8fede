"""What a study enlarges: datasets with upscalers, image sets, and what their stages are told."""

from __future__ import annotations

import math
from typing import get_args

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.resolutions import FACTOR
from pipeline_lib.settings.superresolution import (
    SuperresolutionStage,
    UpsampleStage,
    UpscalerStage,
    Way,
)
from pipeline_lib.settings.templates import template_to_prompt
from pipeline_lib.study.lookups import look_up
from pipeline_lib.study.parts import ImageSet, Study
from pipeline_lib.study.runs import training_template

WAYS: tuple[Way, ...] = get_args(Way)
LESS: Way = "less"
# What two datasets share whose images are enlarged from one to the other.
TOGETHER = ("concept", "split", "training_planes", "intensity", "transmittance", "blank")


def check_finer(configuration: Configuration) -> None:
    """Refuse pairs of datasets of which one cannot enlarge the images of the other.

    Raises
    ------
    UserError
        If a name points nowhere, or they differ in concept or in what is trained on and held out,
        or one is not four times as fine as the other.
    """
    datasets = configuration.datasets
    for coarse, fine in configuration.superresolution.finer.items():
        where = "configuration: superresolution.finer"
        one, other = (look_up(name, datasets, "dataset", where) for name in (coarse, fine))
        unlike = [key for key in TOGETHER if getattr(one, key) != getattr(other, key)]
        if unlike:
            raise UserError(
                f"{where}: `{coarse}` and `{fine}` differ in {' and '.join(unlike)}: give them the "
                "same, so that nothing is held out of one and trained on in the other, and grey "
                "levels mean the same"
            )
        if one.tiles.rescale != other.tiles.rescale:
            raise UserError(
                f"{where}: one of `{coarse}` and `{fine}` has `tiles: rescale`: give it to both or "
                "to neither"
            )
        if not math.isclose(other.tiles.scale, FACTOR * one.tiles.scale):
            raise UserError(
                f"{where}: `{fine}` has tiles of scale {other.tiles.scale:g} and `{coarse}` of "
                f"{one.tiles.scale:g}; an upscaler enlarges {FACTOR} times: set "
                f"datasets.{coarse}.tiles.scale to {other.tiles.scale / FACTOR:g}"
            )


def dataset_to_upscaled(configuration: Configuration, dataset: str) -> str:
    """Return the dataset whose upscaler enlarges the images of a dataset."""
    return configuration.superresolution.finer.get(dataset, dataset)


def upscaled_datasets(study: Study) -> list[str]:
    """Return the datasets that an upscaler is tuned to, for all that runs use; none without one."""
    configuration = study.configuration
    if configuration.superresolution.model is None:
        return []
    wanted = {dataset_to_upscaled(configuration, name) for name in study.used_datasets}
    return [name for name in configuration.datasets if name in wanted]


def enlarged_sets(study: Study) -> list[ImageSet]:
    """Return the image sets that are enlarged: those of runs, not of untuned base models."""
    if study.configuration.superresolution.model is None:
        return []
    return [one for one in study.image_sets.values() if one.run is not None and one.identifier]


def dataset_to_words(study: Study, dataset: str) -> str:
    """Return what the tiles of a dataset show: its training prompt for the class alone."""
    name = study.configuration.datasets[dataset].concept
    concept = study.configuration.concepts[name]
    template = training_template(study.configuration, name)
    return template_to_prompt(template, concept.modality, concept.noun)


def way_to_augmentation(study: Study, way: Way) -> float:
    """Return the variance of the noise that a way of tuning gives small pictures."""
    settings = study.configuration.superresolution
    return settings.augmentation if way == LESS else settings.usual_augmentation


def upscaler_stage(study: Study, dataset: str, way: Way) -> UpscalerStage:
    """Return the settings of tuning an upscaler to a dataset."""
    concept = study.configuration.datasets[dataset].concept
    return UpscalerStage(
        dataset=dataset,
        modality=study.configuration.concepts[concept].modality,
        prompt=dataset_to_words(study, dataset),
        augmentation=way_to_augmentation(study, way),
        tuning=study.configuration.superresolution.tuning,
    )


def superresolution_stage(study: Study, dataset: str) -> SuperresolutionStage:
    """Return the settings of comparing the upscalers of a dataset."""
    settings = study.configuration.superresolution
    return SuperresolutionStage(
        dataset=dataset,
        prompt=dataset_to_words(study, dataset),
        augmentation=settings.augmentation,
        usual_augmentation=settings.usual_augmentation,
        drawing=settings.drawing,
        tiles=settings.compared_tiles,
        confidence=study.configuration.evaluation.confidence,
    )


def upsample_stage(study: Study, model: str, folder: str) -> UpsampleStage:
    """Return the settings of enlarging the shards of an image set."""
    return UpsampleStage(
        prompt=dataset_to_words(study, study.image_sets[model, folder].dataset),
        augmentation=way_to_augmentation(study, LESS),
        drawing=study.configuration.superresolution.drawing,
    )
