"""Ways of sampling from the configuration."""

from __future__ import annotations

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.sweep import SweepSettings
from pipeline_lib.study.sweeps import sweep_ways


def configuration(**sweep: object) -> Configuration:
    return Configuration(
        project="p",
        concepts={"cells": {"noun": "cells"}},
        datasets={"cells": {"concept": "cells"}},
        sampling={"sampler": {"steps": 12, "guidance": 2.5}},
        sweep=sweep,
    )


def test_all_pairs_are_ways() -> None:
    assert list(sweep_ways(configuration(steps=(8, 16), guidance=(1.0, 1.5)))) == [
        "steps-8-guidance-1",
        "steps-8-guidance-1.5",
        "steps-16-guidance-1",
        "steps-16-guidance-1.5",
    ]


def test_what_is_not_named_is_the_sampler_s() -> None:
    ways = sweep_ways(configuration(guidance=(1.0, 3.0)))
    assert [way.steps for way in ways.values()] == [12, 12]
    ways = sweep_ways(configuration(steps=(4, 8)))
    assert {way.guidance for way in ways.values()} == {2.5}


def test_no_sweep_has_no_ways_and_one_way_is_refused() -> None:
    assert sweep_ways(configuration()) == {}
    with pytest.raises(UserError, match="one way of sampling alone"):
        sweep_ways(configuration(steps=(8,)))


def test_ways_that_no_sampler_takes_are_refused_while_planning() -> None:
    one = configuration(steps=(1, 20))
    sampler = one.sampling.sampler.model_copy(update={"spacing": "log_snr"})
    sampling = one.sampling.model_copy(update={"sampler": sampler})
    with pytest.raises(UserError, match=r"configuration: sweep: .*at least 2 steps"):
        sweep_ways(one.model_copy(update={"sampling": sampling}))


def test_scales_that_hardly_differ_have_names_of_their_own() -> None:
    assert len(sweep_ways(configuration(guidance=(1.2345678, 1.2345679)))) == 2


@pytest.mark.parametrize("wrong", [{"steps": (8, 8)}, {"steps": (0, 8)}, {"guidance": (0.5, 1)}])
def test_equal_and_impossible_ways_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="needs different"):
        SweepSettings(**wrong)
