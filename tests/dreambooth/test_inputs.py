from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.dreambooth.inputs import (
    ConceptInputs,
    concepts_in_order,
    training_fingerprint,
)
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.settings.training_keys import JUDGING, SHAPE_NO_WEIGHT

CLASS_PROMPT = "an image of cells"
TILES = 4


def concept(name: str = "single", identifier: str = "zx", **changed: Any) -> ConceptInputs:
    latents, captions = changed.pop("latents", make_latents()), changed.pop("captions", ())
    stated = {
        "concept": name,
        "dataset": f"{name}-64",
        "identifier": "auto",
        "noun": "cells",
        "modality": "brightfield",
        "training_prompt": "an image of {subject}",
        "class_prompt": CLASS_PROMPT,
    }
    return ConceptInputs(
        TrainedConcept.model_validate(stated | changed), identifier, latents, captions
    )


def make_latents(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        f"{role}.{kind}": generator.normal(size=(TILES, 2, 4, 2, 2)).astype(np.float32)
        for role in ("train", "validation")
        for kind in ("mean", "std")
    }


def fingerprint(
    *concepts: ConceptInputs, files: dict[str, str] | None = None, **training: Any
) -> dict[str, Any]:
    settings = TrainingSettings.model_validate(training)
    priors = {CLASS_PROMPT: np.ones((3, 4, 2, 2), np.float32), "unused": np.zeros(1)}
    ordered = concepts_in_order(concepts or (concept(),))
    return training_fingerprint(settings, files or {"unet.safetensors": "1"}, ordered, priors)


@pytest.mark.parametrize(
    "changed",
    [
        {"checkpoint_every": 7},
        {"preview_every": 7, "preview_count": 3},
        {"wall_minutes": 5},
        {"tensorboard": True},
    ],
)
def test_what_shapes_no_weight_is_not_in_it(changed: dict[str, Any]) -> None:
    assert set(changed) <= SHAPE_NO_WEIGHT
    assert fingerprint(**changed) == fingerprint()


@pytest.mark.parametrize(
    "changed", [{"judge_every": 7}, {"judge_count": 9}, {"judge_by": "x"}, {"preview_guidance": 2}]
)
def test_what_judges_is_in_it_only_where_the_best_is_kept(changed: dict[str, Any]) -> None:
    assert set(changed) <= JUDGING
    assert fingerprint(**changed) == fingerprint()
    best = fingerprint(keep="best")
    assert best != fingerprint() and fingerprint(keep="best", **changed) != best


@pytest.mark.parametrize(
    "changed", [{"steps": 7}, {"seed": 1}, {"method": "lora"}, {"prior_weight": 0.5}]
)
def test_what_shapes_weights_is_in_it(changed: dict[str, Any]) -> None:
    assert fingerprint(**changed) != fingerprint()


def test_names_of_concepts_and_datasets_are_not_in_it() -> None:
    assert fingerprint(concept("other")) == fingerprint(concept("single"))


def test_prompts_and_weights_are_in_it() -> None:
    assert fingerprint(concept(identifier="qv")) != fingerprint()
    assert fingerprint(concept(noun="bacteria")) != fingerprint()
    assert fingerprint(concept(prior_weight=2.0)) != fingerprint()
    assert fingerprint(concept(class_prompt=None)) != fingerprint()


def test_texts_about_the_base_model_are_not_in_it() -> None:
    files = {"unet.safetensors": "1", "README.md": "2"}
    assert fingerprint(files=files) == fingerprint()
    assert fingerprint(files={"unet.safetensors": "3"}) != fingerprint()


@given(st.permutations(range(TILES)), st.permutations(range(TILES)))
def test_another_order_of_tiles_is_the_same_training(first: list[int], second: list[int]) -> None:
    latents = make_latents()
    orders = {"train": first, "validation": second}
    moved = {name: stack[orders[name.split(".")[0]]] for name, stack in latents.items()}
    captions = [f"caption {k}" for k in range(TILES)]
    template = {"training_prompt": "an image of {subject}, {caption}"}
    plain = concept(latents=latents, captions=tuple(captions), **template)
    other = concept(latents=moved, captions=tuple(captions[k] for k in first), **template)
    assert fingerprint(plain) == fingerprint(other)
    ends = [one.in_order() for one in (plain, other)]
    assert ends[0].captions == ends[1].captions
    for name in latents:
        assert np.array_equal(ends[0].latents[name], ends[1].latents[name])


def test_another_order_of_concepts_is_the_same_training() -> None:
    edge = concept("edge", "qv", latents=make_latents(1))
    assert fingerprint(concept(), edge) == fingerprint(edge, concept())


def test_captions_count_where_the_prompt_takes_them_alone() -> None:
    template = {"training_prompt": "an image of {subject}, {caption}"}
    told, other = (tuple(f"{word} {k}" for k in range(TILES)) for word in ("day", "night"))
    assert fingerprint(concept(captions=told, **template)) != fingerprint(
        concept(captions=other, **template)
    )


def test_tiles_without_captions_are_refused_where_the_prompt_takes_them() -> None:
    with pytest.raises(UserError, match="4 training tiles, found 1 captions"):
        concept(captions=("one",), training_prompt="{subject}, {caption}").in_order()


def test_each_changed_tile_is_another_training() -> None:
    latents = make_latents()
    latents["train.std"] = latents["train.std"].copy()
    latents["train.std"][2, 1, 0, 0, 0] += 1e-3
    assert fingerprint(concept(latents=latents)) != fingerprint()
