"""The page of contexts: what it says of a matrix whose words are known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.context_effects import Effect
from pipeline_lib.evaluation.context_tables import NONE, Cell, ColumnSummary
from pipeline_lib.evaluation.intervals import Estimate
from pipeline_lib.reporting.context_words import PROPERTIES, difference_words, effect_words
from pipeline_lib.reporting.contexts import contexts_to_view
from pipeline_lib.reporting.pages import contexts_to_page
from pipeline_lib.settings.contexts import ContextColumn, ContextPrompt, ContextsStage
from tests.browser import Browser
from tests.reporting.test_page_in_browser import CONTRAST, SIZES, load, wider_than_the_window

MOVES = {"dense": {"density": "up"}, "blind": {"sharpness": "down"}, "again": {}}


def column(model: str, kind: str, prior: float | None = None) -> ContextColumn:
    own = {"model": model, "base": "toy", "dataset": "d", "kind": kind, "noun": "<cells>"}
    sets = {name: f"d-{name}" for name in MOVES}
    told = {"modality": "oblique", "prior_weight": prior, "neutral": "d-n", "sets": sets}
    return ContextColumn(**own, **told, controls=["again"])


COLUMNS = (column("base-toy", "untuned"), column("kept", "tuned", 1), column("lost", "tuned", 0))
STAGE = ContextsStage(
    title="A trial",
    confidence=0.95,
    neutral="{subject}",
    prompts=[
        ContextPrompt(name=name, template=f"{name} {{subject}}", moves=own)
        for name, own in MOVES.items()
    ],
    columns=COLUMNS,
    files=[("base-toy", "d")],
    bases=["toy"],
)
UP, DOWN, NOTHING = (Estimate(value, value - 0.2, value + 0.2) for value in (0.7, -0.7, 0.05))
UNTAUGHT = {"toy": {"blind": ["blind"]}}


def cells(effects: dict[str, tuple[Estimate, Estimate]]) -> list[Cell]:
    """Return the cells of each model, whose effects are given of the two prompts."""
    found = []
    for one in COLUMNS:
        for (prompt, own), estimate in zip(
            MOVES.items(), (*effects[one.model], NOTHING), strict=True
        ):
            for name in PROPERTIES:
                wanted = own.get(name, "")
                effect = Effect(estimate if wanted else NOTHING, (9, 9), (0.0, 0.0))
                found.append(
                    Cell(one, prompt, name, effect, wanted, effect.word(wanted) if wanted else "")
                )
    return found


@pytest.fixture(scope="module")
def view():
    made = cells({"base-toy": (UP, DOWN), "kept": (UP, NOTHING), "lost": (DOWN, UP)})
    summaries = [
        ColumnSummary(one, UP, drift, 50, 10, NONE)
        for one, drift in zip(COLUMNS, (NONE, NOTHING, DOWN), strict=True)
    ]
    pictures = {("kept", "d-dense"): np.zeros((400, 400), np.uint8)}
    pairs = [(COLUMNS[1], COLUMNS[2], UP)]
    return contexts_to_view(STAGE, made, summaries, pairs, UNTAUGHT, pictures)


def test_it_says_what_is_obeyed_lost_and_kept(view):
    assert view.sentences == [
        "untuned toy (<cells>): obeys 2 of 2 wanted moves, 1 of 1 by words never taught.",
        "kept (<cells>): obeys 1 of 2 wanted moves, 0 of 1 by words never taught; keeps 1 of the 2 "
        "that its untuned base obeys, lost: blind (sharpness); obeys as far as can be told like "
        "the base, obedience +0.05 (−0.15 to +0.25).",
        "lost (<cells>): obeys 0 of 2 wanted moves, 0 of 1 by words never taught; keeps 0 of the 2 "
        "that its untuned base obeys, lost: dense (objects), blind (sharpness); obeys less than "
        "the base, obedience −0.70 (−0.90 to −0.50).",
        "With prior preservation kept (<cells>) obeys more than lost (<cells>), which lacks it: "
        "obedience +0.70 (+0.50 to +0.90).",
    ]


def test_what_cannot_be_told_is_not_called_lost():
    wide = Estimate(-0.2, -0.6, 0.2)  # of a move that should go down
    made = cells({"base-toy": (UP, DOWN), "kept": (UP, wide), "lost": (DOWN, UP)})
    summaries = [ColumnSummary(one, UP, NONE, 50, 10, NONE) for one in COLUMNS]
    said = contexts_to_view(STAGE, made, summaries, [], UNTAUGHT, {}).sentences
    assert "keeps 1 of the 2 that its untuned base obeys, cannot be told: blind (sh" in said[1]
    assert "lost: dense (objects), blind (sharpness)" in said[2]


def test_colour_follows_the_wanted_direction_and_never_stands_alone(view):
    dense, blind = view.rows  # the control asks for nothing
    assert [cell.word for cell in dense.cells] == ["● obeyed", "● obeyed", "◆ the other way"]
    assert [cell.word for cell in blind.cells] == ["● obeyed", "○ not", "◆ the other way"]
    assert [cell.colour for cell in dense.cells] == ["wanted", "wanted", "against"]
    assert [cell.colour for cell in blind.cells][::2] == ["wanted", "against"]
    assert [cell.percent > 0 for cell in blind.cells] == [True, False, True]
    assert (dense.untaught, blind.untaught) == ("", "not taught: blind")


def test_the_table_of_models_counts(view):
    assert [row[1:4] for row in view.summary.rows] == [
        ("2 of 2", "", "+0.70 (+0.50 to +0.90)"),
        ("1 of 2", "1 of 2", "+0.70 (+0.50 to +0.90)"),
        ("0 of 2", "0 of 2", "+0.70 (+0.50 to +0.90)"),
    ]
    assert {row[5] for row in view.summary.rows} == {"20% of 50"}
    assert {row[7] for row in view.summary.rows} == {f"0 of {len(PROPERTIES)}"}


def test_the_page_escapes_and_holds_the_pictures(view):
    page = contexts_to_page(view)
    assert "<cells>" not in page and "&lt;cells&gt;" in page
    assert page.count("data:image/png") == 1
    assert page.count('scope="rowgroup"') == 2


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_browser_finds_it_narrow_enough_named_and_readable(view, tmp_path, size):
    page = tmp_path / "index.html"
    page.write_text(contexts_to_page(view))
    browser = Browser(tmp_path / "browser")
    try:
        opened = load(browser, page, size)
        assert opened.violations() == []
        assert [text for ratio, text in opened.run(CONTRAST) if ratio < 4.5] == []
        assert wider_than_the_window(opened) == []
    finally:
        browser.close()


def test_intervals_of_effects_end_at_one_and_those_of_differences_need_not():
    assert effect_words(Estimate(0.9, 0.7, 1.0)) == "+0.90 (+0.70 to +1.00)"
    assert difference_words(Estimate(-1.0, -1.2, -0.8)) == "−1.00 (−1.20 to −0.80)"
    assert effect_words(NONE) == "not measurable"
    assert effect_words(Estimate(0.001, -0.2, 0.2)) == "0.00 (−0.20 to +0.20)"
