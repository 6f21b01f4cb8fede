"""The ways of sampling that a study compares."""

from __future__ import annotations

import itertools

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.sampling import SampleStage
from pipeline_lib.settings.sweep import SweepStage, SweptWay
from pipeline_lib.study.parts import Study
from pipeline_lib.study.registries import headline_extractor
from pipeline_lib.study.stages import sample_stage


def sweep_ways(configuration: Configuration) -> dict[str, SweptWay]:
    """Return the ways to compare by name, none where the configuration asks for no sweep.

    Raises
    ------
    UserError
        If there is one alone, with which nothing can be compared.
    """
    sweep, sampler = configuration.sweep, configuration.sampling.sampler
    if not (sweep.steps or sweep.guidance):
        return {}
    pairs = itertools.product(
        sweep.steps or (sampler.steps,), sweep.guidance or (sampler.guidance,)
    )
    ways = [SweptWay(steps=steps, guidance=guidance) for steps, guidance in pairs]
    if len(ways) < 2:
        raise UserError(
            "configuration: sweep: one way of sampling alone cannot be compared; give several "
            "`steps` or several scales of `guidance`"
        )
    return {way_to_name(way): way for way in ways}


def way_to_name(way: SweptWay) -> str:
    """Return the name of the files of a way of sampling.

    Examples
    --------
    >>> way_to_name(SweptWay(steps=20, guidance=1.5))
    'steps-20-guidance-1.5'
    """
    return f"steps-{way.steps}-guidance-{way.guidance:g}"


def swept_sample_stage(study: Study, run: str, folder: str, way: str) -> SampleStage:
    """Return the settings of a run's images by one way, from the noise of the run's own images."""
    stage = sample_stage(study, run, folder, 0)
    chosen = sweep_ways(study.configuration)[way]
    sampler = stage.sampler.model_copy(update=chosen.model_dump())
    count = study.configuration.sweep.count
    return stage.model_copy(update={"sampler": sampler, "count": count})


def sweep_stage(study: Study, run: str) -> SweepStage:
    """Return the settings of comparing the ways of sampling a run."""
    return SweepStage(
        run=run,
        concepts=tuple(one.concept for one in study.runs[run].concepts),
        ways=tuple(sweep_ways(study.configuration).values()),
        extractor=headline_extractor(study.extractors),
    )
