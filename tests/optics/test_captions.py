from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_lib.optics import KINDS, draw_scene_settings, settings_to_caption

NOUNS = {
    "budding yeast": "yeast",
    "rod bacteria": "bacteri",
    "suspension cells": "cell",
    "adherent cells": "cell",
    "monolayer": "monolayer",
    "beads": "bead",
}


def captions(settings, count=5, number=120):
    return [settings_to_caption(settings, count, (9, key)) for key in range(number)]


def share(texts, word):
    return sum(word in text for text in texts) / len(texts)


@pytest.mark.parametrize("kind", KINDS)
def test_kind_is_nearly_always_named(kind):
    texts = captions(draw_scene_settings(0, kind))
    assert share(texts, NOUNS[kind]) > 0.85
    others = {noun for noun in NOUNS.values() if noun not in (NOUNS[kind], "cell", "monolayer")}
    assert all(share(texts, noun) == 0 for noun in others)
    assert len(set(texts)) > 20


def test_focus_and_illumination_are_true():
    plain = replace(draw_scene_settings(1, "rod bacteria"), illumination="brightfield")
    depth = plain.depth_of_field_um
    for shift, said in ((0, "in focus"), (2, "behind focus"), (-2, "in front of focus")):
        texts = captions(replace(plain, defocus_um=shift * depth))
        assert share(texts, said) > 0.7
        wrong = {"in focus", "behind focus", "in front of focus"} - {said}
        assert all(share(texts, word) == 0 for word in wrong)
    assert share(captions(plain), "oblique") == 0
    assert share(captions(replace(plain, illumination="oblique")), "oblique") > 0.8


def test_edge_debris_and_background_are_said_only_where_they_are():
    plain = replace(
        draw_scene_settings(2, "suspension cells"),
        well_edge=False,
        debris_per_mm2=0.0,
        display_background=None,
    )
    for word in ("edge", "debris", "background"):
        assert share(captions(plain), word) == 0
    dirty = 10 / plain.region.area_um2 * 1e6
    assert share(captions(replace(plain, well_edge=True)), "edge") > 0.7
    assert share(captions(replace(plain, debris_per_mm2=dirty)), "debris") > 0.6
    assert share(captions(replace(plain, display_background=0.95)), "bright background") > 0.4
    assert share(captions(replace(plain, display_background=0.1)), "dark background") > 0.4


def test_amount_follows_count_and_density():
    dense = draw_scene_settings(3, "beads", density="dense")
    sparse = draw_scene_settings(3, "beads", density="sparse")
    assert share(captions(dense), "dense") > 0.4 and share(captions(dense), "sparse") == 0
    assert share(captions(sparse), "sparse") > 0.3 and share(captions(sparse), "dense") == 0
    assert share(captions(sparse, count=1), "a single") == 1
    empty = captions(sparse, count=0)
    assert share(empty, "empty") == 1 and share(empty, "bead") == 0
