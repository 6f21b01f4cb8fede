"""What a plan of a study is told: its trainings, its pictures, its jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.planning import (
    PlannedBase,
    PlannedDetectors,
    PlannedDrawing,
    PlannedJob,
    PlannedTraining,
    PlannedUpscaler,
    PlanStage,
)
from pipeline_lib.study.contexts import context_files, context_images_stage, context_prompts
from pipeline_lib.study.masks import concepts_of_detectors, known_masks, trains_on_known
from pipeline_lib.study.parts import Run, Study, image_folder
from pipeline_lib.study.stages import (
    detectors_stage,
    prior_shard_count,
    run_of,
    sampler_of,
    shard_count,
)
from pipeline_lib.study.superresolution import WAYS, upscaled_datasets
from pipeline_lib.study.sweeps import run_ways

Planned = TypeVar("Planned")


def plan_stage(
    study: Study,
    base_folder: Callable[[str], Path],
    upscaler_folder: Callable[[], Path],
    jobs: Sequence[PlannedJob],
) -> PlanStage:
    """Return the settings of a plan of the whole study."""
    bases = dict.fromkeys(run.base for run in study.runs.values())
    contexts, no_contexts = _planned_or_reason(_planned_contexts, study)
    detectors, no_detectors = _planned_or_reason(_planned_detectors, study)
    return PlanStage(
        project=study.configuration.project,
        teraflops=study.configuration.planning.teraflops,
        bases={
            base: PlannedBase(folder=base_folder(base), size=study.bases[base].size)
            for base in bases
        },
        trainings=tuple(_planned_training(run) for run in study.runs.values()),
        drawings=(
            *_planned_priors(study),
            *_planned_samples(study),
            *_planned_sweeps(study),
            *contexts,
        ),
        detectors=tuple(detectors),
        upscalers=tuple(_planned_upscalers(study, upscaler_folder)),
        uncounted=(*no_contexts, *no_detectors),
        jobs=tuple(jobs),
    )


def _planned_or_reason(
    count: Callable[[Study], list[Planned]], study: Study
) -> tuple[list[Planned], list[str]]:
    """Return what a target will do, or the words by which it would be refused."""
    try:
        return count(study), []
    except UserError as error:
        return [], [str(error)]


def _planned_training(run: Run) -> PlannedTraining:
    """Return the training of a run."""
    return PlannedTraining(
        run=run.name,
        base=run.base,
        size=run.size,
        training=run.training,
        concepts=len(run.concepts),
    )


def _drawn_from_scratch(run: Run | None) -> PlannedTraining | None:
    """Return the training of what draws, if it is from scratch."""
    return _planned_training(run) if run is not None and run.from_scratch else None


def _planned_priors(study: Study) -> list[PlannedDrawing]:
    """Return the class images that the runs' base models draw, each set once."""
    used = {
        (run.base, prior)
        for run in study.runs.values()
        for prior in run.priors
        if prior and not study.configuration.priors[prior].images
    }
    return [
        PlannedDrawing(
            what=f"class images {prior} ({base})",
            base=base,
            size=settings.size,
            count=settings.count,
            jobs=prior_shard_count(settings),
            sampler=denoising_of(settings),
        )
        for base, prior in sorted(used)
        for settings in [study.configuration.priors[prior]]
    ]


def _planned_samples(study: Study) -> list[PlannedDrawing]:
    """Return the synthetic images of all models and prompts."""
    sampling = study.configuration.sampling
    shards = sampling.images_per_shard
    return [
        PlannedDrawing(
            what=f"{one.model} {one.folder}",
            base=one.base,
            scratch=_drawn_from_scratch(run_of(study, one)),
            size=one.size,
            count=one.count,
            jobs=shard_count(one.count, shards),
            sampler=denoising_of(sampler_of(study, one)),
        )
        for one in study.image_sets.values()
    ]


def _planned_sweeps(study: Study) -> list[PlannedDrawing]:
    """Return the images by which ways of sampling are compared, a row for each run's concept."""
    sampler, sweep = study.configuration.sampling.sampler, study.configuration.sweep
    return [
        PlannedDrawing(
            what=f"sweep {run.name} {one.dataset} {name}",
            base=run.base,
            scratch=_drawn_from_scratch(run),
            size=run.size,
            count=sweep.count,
            jobs=1,
            sampler=denoising_of(sampler.model_copy(update=way.model_dump())),
        )
        for run in study.runs.values()
        for one in run.concepts
        for name, way in run_ways(study, run.name).items()
    ]


def _planned_contexts(study: Study) -> list[PlannedDrawing]:
    """Return the images of all prompts, a job for each model; none where no prompt has `moves`."""
    if all(one.moves is None for one in study.configuration.sampling.prompts.values()):
        return []
    context_prompts(study)
    neutral = study.configuration.evaluation.prompt
    named = [(model, image_folder(dataset, neutral)) for model, dataset in context_files(study)]
    return [
        PlannedDrawing(
            what=f"contexts {model} {one.dataset}",
            base=one.base,
            size=one.size,
            count=sum(drawn.count for drawn in context_images_stage(study, model, folder).sets),
            jobs=1,
            sampler=denoising_of(sampler_of(study, one)),
        )
        for model, folder in named
        for one in [study.image_sets[model, folder]]
    ]


def _planned_detectors(study: Study) -> list[PlannedDetectors]:
    """Return the detectors of `downstream`, a job for each concept of a run; none without masks."""
    if not any(known_masks(study, concept) for concept in study.sources):
        return []
    if study.configuration.downstream.detector == "ultralytics":
        raise UserError("detectors of ultralytics, whose networks that package alone knows")
    return [
        PlannedDetectors(
            what=f"{name} {concept}",
            size=study.runs[name].size,
            known=trains_on_known(study, name, concept),
            detectors=detectors_stage(study, name, concept).detectors,
        )
        for name, concept in concepts_of_detectors(study)
    ]


def _planned_upscalers(study: Study, folder: Callable[[], Path]) -> list[PlannedUpscaler]:
    """Return the upscalers to tune, a job for each dataset and way."""
    configuration = study.configuration
    return [
        PlannedUpscaler(
            what=f"{dataset} {way}",
            folder=folder(),
            size=configuration.datasets[dataset].tiles.size,
            tuning=configuration.superresolution.tuning,
        )
        for dataset in upscaled_datasets(study)
        for way in WAYS
    ]


def denoising_of(settings: Denoising) -> Denoising:
    """Return how pictures are drawn, without what does not tell how long it takes."""
    return Denoising(**{key: getattr(settings, key) for key in Denoising.model_fields})
