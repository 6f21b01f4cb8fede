"""What a plan of a study is told: its trainings, its pictures, its jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.planning import (
    PlannedBase,
    PlannedDrawing,
    PlannedJob,
    PlannedTraining,
    PlanStage,
)
from pipeline_lib.study.parts import Study
from pipeline_lib.study.stages import prior_shard_count, shard_count
from pipeline_lib.study.sweeps import sweep_ways


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
        trainings=tuple(
            PlannedTraining(run=name, base=run.base, size=run.size, training=run.training)
            for name, run in study.runs.items()
        ),
        drawings=(*_planned_priors(study), *_planned_samples(study), *_planned_sweeps(study)),
        jobs=tuple(jobs),
    )


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
            size=one.size,
            count=one.count,
            jobs=shard_count(one.count, shards),
            sampler=denoising_of(sampling.sampler),
        )
        for one in study.image_sets.values()
    ]


def _planned_sweeps(study: Study) -> list[PlannedDrawing]:
    """Return the images by which ways of sampling are compared, a row for each run's concept."""
    sampler, sweep = study.configuration.sampling.sampler, study.configuration.sweep
    ways = sweep_ways(study.configuration).items()
    return [
        PlannedDrawing(
            what=f"sweep {run.name} {one.dataset} {name}",
            base=run.base,
            size=run.size,
            count=sweep.count,
            jobs=1,
            sampler=denoising_of(sampler.model_copy(update=way.model_dump())),
        )
        for run in study.runs.values()
        for one in run.concepts
        for name, way in ways
    ]


def denoising_of(settings: Denoising) -> Denoising:
    """Return how pictures are drawn, without what does not tell how long it takes."""
    return Denoising(**{key: getattr(settings, key) for key in Denoising.model_fields})
