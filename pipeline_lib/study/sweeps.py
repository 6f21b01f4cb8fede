"""The ways of sampling that a study compares."""

from __future__ import annotations

import itertools

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.sampling import SamplerSettings, SampleStage
from pipeline_lib.settings.sweep import SweepStage, SweptWay
from pipeline_lib.study.lookups import validated
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
    for way in ways:
        validated(SamplerSettings, sampler.model_dump() | way.model_dump(), "configuration: sweep")
    if len(ways) < 2:
        raise UserError(
            "configuration: sweep: one way of sampling alone cannot be compared; give several "
            "`steps` or several scales of `guidance`"
        )
    return {way_to_name(way): way for way in ways}


def run_ways(study: Study, run: str) -> dict[str, SweptWay]:
    """Return the ways to compare for a run: without guidance where its model reads no prompt.

    None are left of such a run where the study compares guidance alone.
    """
    ways = sweep_ways(study.configuration)
    if not study.runs[run].from_scratch:
        return ways
    alone = [SweptWay(steps=way.steps, guidance=1.0) for way in ways.values()]
    found = {way_to_name(way): way for way in alone}
    return found if len(found) > 1 else {}


def check_validation(study: Study) -> None:
    """Refuse a sweep where no part of a concept's images can be validation tiles.

    Raises
    ------
    UserError
        If every part has another role.
    """
    configuration = study.configuration
    trained = {one for run in study.runs.values() for one in run.concepts}
    for one in sorted(trained, key=lambda one: one.dataset):
        roles = {region.role for region in study.regions[one.concept]}
        drawn = "auto" in roles and configuration.datasets[one.dataset].split.validation > 0
        if "validation" not in roles and not drawn:
            raise UserError(
                f"configuration: sweep: ways of sampling are compared by validation tiles, and "
                f"`{one.dataset}` can have none; give some rows of {configuration.samples} the "
                "role `validation`, or leave `sweep` out"
            )


def way_to_name(way: SweptWay) -> str:
    """Return the name of the files of a way of sampling.

    Examples
    --------
    >>> way_to_name(SweptWay(steps=20, guidance=1.5))
    'steps-20-guidance-1.5'
    """
    return f"steps-{way.steps}-guidance-{way.guidance!r}".removesuffix(".0")


def swept_sample_stage(study: Study, run: str, folder: str, way: str) -> SampleStage:
    """Return the settings of a run's images by one way, from the noise of the run's own images."""
    stage = sample_stage(study, run, folder, 0)
    chosen = run_ways(study, run)[way]
    sampler = stage.sampler.model_copy(update=chosen.model_dump())
    count = study.configuration.sweep.count
    return stage.model_copy(update={"sampler": sampler, "count": count})


def sweep_stage(study: Study, run: str) -> SweepStage:
    """Return the settings of comparing the ways of sampling a run."""
    return SweepStage(
        run=run,
        concepts=tuple(one.concept for one in study.runs[run].concepts),
        ways=tuple(run_ways(study, run).values()),
        count=study.configuration.sweep.count,
        extractor=headline_extractor(study.extractors),
    )
