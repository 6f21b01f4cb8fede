"""The matrix beside the truth of simulated pictures."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.evaluation.context_tables import (
    REAL,
    SET,
    pairs_to_differences,
    tables_to_cells,
    tables_to_summaries,
)
from pipeline_lib.evaluation.image_properties import (
    COLUMNS,
    images_to_properties,
    tiles_to_real_objects,
)
from pipeline_lib.evaluation.image_sets import ImageSet
from pipeline_lib.evaluation.objects import fit_segmenter
from pipeline_lib.settings.contexts import ContextColumn, ContextPrompt, ContextsStage, Property
from tests.evaluation.context_scenes import PIXEL_UM, draw

# What each prompt's pictures truly are, and what its words should so move.
TRUTH = {
    "again": ({}, {}),
    "sparse": ({"cells": 3}, {"density": "down", "confluence": "down"}),
    "dense": ({"cells": 12}, {"density": "up", "confluence": "up"}),
    "before": ({"defocus": (-3.0,)}, {"ring_contrast": "up"}),
    "behind": ({"defocus": (2.0,)}, {"ring_contrast": "down"}),
    "blurred": ({"defocus": (-5.0, 5.0)}, {"sharpness": "down"}),
    "gradient": ({"slope": 0.4}, {"unevenness": "up"}),
    "dark": ({"level": 100.0}, {"brightness": "down", "contrast": "down"}),
    "oblique": ({"illumination": "oblique"}, {"relief": "up"}),
    "dirty": ({"specks": 6}, {"specks": "up"}),
}
WANTED = {(name, one) for name, (_, moves) in TRUTH.items() for one in moves}


def column(model: str, kind: str, prior: float | None = None) -> ContextColumn:
    ending = "-class" if kind == "class" else ""
    return ContextColumn(
        model=model,
        base="toy",
        dataset="cells",
        kind=kind,
        noun="cells",
        modality="brightfield",
        prior_weight=prior,
        neutral=f"cells-neutral{ending}",
        sets={name: f"cells-{name}{ending}" for name in TRUTH},
        controls=("again",),
    )


STAGE = ContextsStage(
    title="Truth",
    confidence=0.95,
    neutral="an image of {subject}",
    prompts=[
        ContextPrompt(name=name, template=f"{name} {{subject}}", moves=moves)
        for name, (_, moves) in TRUTH.items()
    ],
    columns=[
        column("base-toy", "untuned"),
        column("kept", "tuned", 1.0),
        column("kept", "class", 1.0),
        column("lost", "tuned", 0.0),
    ],
    files=[("base-toy", "cells"), ("kept", "cells"), ("lost", "cells")],
    bases=["toy"],
    pairs=[("cells", "kept", "lost")],
)


@pytest.fixture(scope="module")
def real():
    tiles = draw(0, images=8)
    names = tuple(map(str, range(8)))
    fields = ImageSet(tiles, names, names, names)
    return tiles, tiles_to_real_objects(fields, fit_segmenter(tiles), PIXEL_UM)


@pytest.fixture(scope="module")
def tables(real):
    """An untuned base and a run that obey every word, and one that draws one thing for all."""
    tiles, objects = real
    measured = {
        name: images_to_properties(draw(number + 1, **truth), objects)
        for number, (name, (truth, _)) in enumerate(TRUTH.items())
    }
    measured["neutral"] = images_to_properties(draw(99, images=16), objects)
    idle = images_to_properties(draw(77, images=8 * len(TRUTH) + 16), objects)
    # In an order drawn at random: which prompt an image belongs to says nothing of it.
    idle = idle.sample(frac=1, random_state=3)
    shuffled = {"neutral": idle[:16]}
    shuffled |= {name: idle[16 + 8 * i : 24 + 8 * i] for i, name in enumerate(TRUTH)}
    own = images_to_properties(tiles, objects, objects.origins).assign(**{SET: REAL})

    def table(sets, ending=""):
        return [one.assign(**{SET: f"cells-{name}{ending}"}) for name, one in sets.items()]

    obeying = pd.concat([own, *table(measured)])
    return {
        ("base-toy", "cells"): obeying,
        ("kept", "cells"): pd.concat([obeying, *table(shuffled, "-class")]),
        ("lost", "cells"): pd.concat([own, *table(shuffled)]),
    }


@pytest.fixture(scope="module")
def cells(tables):
    return tables_to_cells(STAGE, tables)


def words(cells, model, kind):
    return {
        (cell.prompt, cell.name): cell.word
        for cell in cells
        if (cell.column.model, cell.column.kind) == (model, kind) and cell.word
    }


def test_every_property_is_measured(real):
    assert set(get_args(Property)) < set(COLUMNS)
    measured = images_to_properties(real[0], real[1], real[1].origins)
    assert measured.notna().all().all()
    assert list(measured) == list(COLUMNS) == list(images_to_properties(real[0][:0], real[1]))
    assert measured["unlike_objects"].sum() <= 0.05 * measured["objects"].sum()
    area = (128 * PIXEL_UM) ** 2 / 1e6
    assert measured["density"].to_numpy() == pytest.approx(measured["objects"] / area)


def test_pictures_that_are_what_the_words_say_are_called_obeyed(cells):
    found = words(cells, "base-toy", "untuned")
    assert set(found) == WANTED  # the control is not judged
    assert Counter(found.values()) == {"obeyed": len(WANTED)}, found


def test_pictures_that_are_all_alike_are_called_obeyed_as_seldom_as_is_stated(cells):
    found = [*words(cells, "lost", "tuned").values(), *words(cells, "kept", "class").values()]
    # Of 2 x 12 the stated share is 0.6; more than 3 have a chance of 0.3 %.
    assert found.count("obeyed") <= 3 and "not" in found


def test_words_turned_round_move_the_other_way(tables):
    flip = {"up": "down", "down": "up"}
    prompts = [
        one.model_copy(update={"moves": {name: flip[way] for name, way in one.moves.items()}})
        for one in STAGE.prompts
    ]
    turned = tables_to_cells(STAGE.model_copy(update={"prompts": prompts}), tables)
    assert set(words(turned, "base-toy", "untuned").values()) == {"the other way"}


def test_the_summary_tells_a_model_that_lost_its_words(tables):
    base, kept, alone, lost = tables_to_summaries(STAGE, tables, {"toy": {}})
    assert base.obedience.low > 0.6 and np.isnan(base.drift.value)
    assert (kept.drift.value, lost.drift.high < 0, alone.drift.high < 0) == (0, True, True)
    assert lost.obedience.low < 0.1 < 0.6 < kept.obedience.low
    assert np.isnan(kept.entanglement.value)
    # The limit is one that 1 % of real objects pass; these are drawn as those are.
    assert 0 <= base.unlike <= 0.1 * base.objects


def test_prior_preservation_is_told_from_its_lack(tables):
    ((kept, without, found),) = pairs_to_differences(STAGE, tables, {"toy": {}})
    assert (kept.model, without.model) == ("kept", "lost")
    assert found.low > 0.3


def test_prompts_of_words_that_were_not_taught_do_not_count_for_obedience(tables):
    every = {name: ["word"] for name, (_, moves) in TRUTH.items() if moves}
    dense = {name: words for name, words in every.items() if name != "dense"}
    (base, *_) = tables_to_summaries(STAGE, tables, {"toy": dense})
    table = tables["base-toy", "cells"]
    neutral, own = (table[table[SET] == f"cells-{name}"] for name in ("neutral", "dense"))
    assert (own["density"].min() > neutral["density"].max()) == (base.obedience.value == 1)
    (nothing, *_) = tables_to_summaries(STAGE, tables, {"toy": every})
    assert np.isnan(nothing.obedience.value)
