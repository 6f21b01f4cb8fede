"""What a plan of a study is told: its trainings, its pictures, its jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline_lib.settings.planning import (
    PlannedBase,
    PlannedDrawing,
    PlannedJob,
    PlannedTraining,
    PlanStage,
)
from pipeline_lib.study.parts import Study
from pipeline_lib.study.stages import prior_shard_count, shard_count


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
        drawings=(*_planned_priors(study), *_planned_samples(study)),
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
            steps=settings.steps,
            guidance=settings.guidance,
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
            steps=sampling.sampler.steps,
            guidance=sampling.sampler.guidance,
        )
        for one in study.image_sets.values()
    ]
