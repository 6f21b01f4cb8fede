from __future__ import annotations

from itertools import permutations

import pytest

from pipeline_lib.dreambooth.assignment import assign_identifiers, check_identifiers
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.trained_concepts import TrainedConcept
from tests.dreambooth.workbench import CONCEPT, Workbench


def concepts(*identifiers: str) -> list[TrainedConcept]:
    return [
        TrainedConcept(**CONCEPT | {"concept": f"c{index}", "identifier": identifier})
        for index, identifier in enumerate(identifiers)
    ]


def test_auto_takes_the_next_that_is_free() -> None:
    ranked = ["qv", "cells", "zx", "xk"]
    found = assign_identifiers(concepts("auto", "qv", "auto"), [ranked, ranked])
    assert found == ("zx", "qv", "xk")


def test_each_concept_takes_from_its_own_ranking() -> None:
    found = assign_identifiers(concepts("auto", "qv", "auto"), [["zx", "xk"], ["qv", "zx", "vq"]])
    assert found == ("zx", "qv", "vq")


def test_another_order_of_concepts_gives_each_the_same() -> None:
    three, rankings = concepts("auto", "auto", "auto"), [["zx"], ["zx", "qv"], ["qv", "zx", "xk"]]
    for order in permutations(range(3)):
        found = assign_identifiers([three[k] for k in order], [rankings[k] for k in order])
        assert [found[order.index(k)] for k in range(3)] == ["zx", "qv", "xk"]


def test_a_word_of_a_caption_is_no_identifier() -> None:
    (one,) = concepts("auto")
    assert assign_identifiers([one], [["zx", "qv"]], ["grown on ZX, a day"]) == ("qv",)


def test_a_stated_identifier_that_a_caption_holds_is_refused(bench: Workbench) -> None:
    model = load_model(bench.model)
    with pytest.raises(UserError, match="already means"):
        check_identifiers(concepts("zx"), ["zx"], model.tokenizers, ["plate zx"])


def test_a_ranking_too_few_is_no_assignment() -> None:
    with pytest.raises(ValueError, match="zip"):
        assign_identifiers(concepts("auto", "auto"), [["zx", "qv"]])


def test_one_identifier_for_two_concepts_is_refused() -> None:
    with pytest.raises(UserError, match="`qv` is given to two concepts"):
        assign_identifiers(concepts("qv", "qv"), [])


def test_too_few_candidates_are_told() -> None:
    with pytest.raises(UserError, match=r"concept c1.*identifier_candidates"):
        assign_identifiers(concepts("auto", "auto"), [["zx", "brightfield"]] * 2)


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
