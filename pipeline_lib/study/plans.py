"""What a plan of a study is told: its trainings, its pictures, its jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.planning import (
    PlannedBase,
    PlannedDrawing,
    PlannedJob,
    PlannedTraining,
    PlanStage,
)
from pipeline_lib.study.contexts import context_files, context_images_stage, context_prompts
from pipeline_lib.study.parts import Run, Study, image_folder
from pipeline_lib.study.stages import prior_shard_count, run_of, sampler_of, shard_count
from pipeline_lib.study.sweeps import run_ways


def plan_stage(
    study: Study, base_folder: Callable[[str], Path], jobs: Sequence[PlannedJob]
) -> PlanStage:
    """Return the settings of a plan of the whole study."""
    bases = dict.fromkeys(run.base for run in study.runs.values())
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
            *_planned_contexts(study),
        ),
        jobs=tuple(jobs),
    )


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
    """Return the images of all prompts, a job for each model; none where nothing is compared."""
    try:
        context_prompts(study)
    except UserError:
        return []
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


def denoising_of(settings: Denoising) -> Denoising:
    """Return how pictures are drawn, without what does not tell how long it takes."""
    return Denoising(**{key: getattr(settings, key) for key in Denoising.model_fields})
