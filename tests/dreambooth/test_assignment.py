from __future__ import annotations

import pytest

from pipeline_lib.dreambooth.assignment import assign_identifiers, check_identifiers
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings import TrainedConcept, UserError
from tests.dreambooth.workbench import CONCEPT, Workbench


def concepts(*identifiers: str) -> list[TrainedConcept]:
    return [
        TrainedConcept(**CONCEPT | {"concept": f"c{index}", "identifier": identifier})
        for index, identifier in enumerate(identifiers)
    ]


def test_auto_takes_the_next_that_is_free() -> None:
    found = assign_identifiers(concepts("auto", "qv", "auto"), ["qv", "cells", "zx", "xk"])
    assert found == ("zx", "qv", "xk")


def test_one_identifier_for_two_concepts_is_refused() -> None:
    with pytest.raises(UserError, match="`qv` is given to two concepts"):
        assign_identifiers(concepts("qv", "qv"), [])


def test_too_few_candidates_are_told() -> None:
    with pytest.raises(UserError, match=r"concept c1.*identifier_candidates"):
        assign_identifiers(concepts("auto", "auto"), ["zx", "brightfield"])


@pytest.mark.parametrize(
    ("identifier", "message"),
    [("zxqv", "zx"), ("zx qv", "not a single token"), ("", "nothing"), ("cells", "already means")],
)
def test_what_cannot_serve_is_refused(bench: Workbench, identifier: str, message: str) -> None:
    model = load_model(bench.model)
    with pytest.raises(UserError, match=message):
        check_identifiers(concepts("auto"), [identifier], model.tokenizers)


def test_single_tokens_are_accepted(bench: Workbench) -> None:
    model = load_model(bench.model)
    check_identifiers(concepts("auto", "auto"), ["zx", "hqz"], model.tokenizers)
