from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.prompts import doubtful_class_prompts, study_to_prompts
from tests.study.folders import RUNS, Folder

LONG = "long\tl1.tif\t\ttrain\t\t\t{0}\nlong\tl2.tif\t\tholdout\t\t\t{1}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a study of two concepts, one with a stated identifier and captions."""
    folder = Folder(tmp_path)
    folder.runs = RUNS + "both\ttoy\tround-64,long-64\tclass\tauto,zqx\n"
    folder.samples = (
        "concept\tpath\tgroup\trole\tregion\tchannel\tcaption\n"
        "round\tr*.tif\t\tauto\t\t\tunused\n" + LONG.format("dense", "sparse")
    )
    folder.config["training_prompt"] = "a {modality} image of {subject}"
    folder.config["concepts"]["long"]["training_prompt"] = "{subject}, {caption}"
    folder.config["sampling"] = {
        "prompts": {"subject": {"template": "an image of {subject}"}},
        "sampler": {"negative_prompt": "debris"},
    }
    folder.config["evaluation"] = {"class_prompt_images": 2}
    return folder


def told(folder: Folder) -> dict[str, tuple[str, str]]:
    prompts = study_to_prompts(folder.load(), "toy").prompts
    return {prompt.text: (prompt.where, prompt.mend) for prompt in prompts}


def test_every_text_is_told_once_with_its_settings(folder: Folder) -> None:
    sampled, own = "sampling.prompts.subject.template", "concepts.long.training_prompt"
    found = told(folder)
    assert found == {
        "a brightfield image of x cells": (
            "training_prompt (run `both`, concept `round`)",
            "training_prompt or concepts.round.noun",
        ),
        "zqx rods, dense": (
            f"{own} (run `both`, concept `long`)",
            f"{own} or concepts.long.noun, or the caption 'dense' in samples.tsv",
        ),
        "zqx rods, sparse": (
            f"{own} (run `both`, concept `long`)",
            f"{own} or concepts.long.noun, or the caption 'sparse' in samples.tsv",
        ),
        "an image of cells": ("priors.class.class_prompt", "priors.class.class_prompt"),
        "an image of x cells": (
            f"{sampled} (model `both`, concept `round`)",
            f"{sampled} or concepts.round.noun",
        ),
        "an image of zqx rods": (
            f"{sampled} (model `both`, concept `long`)",
            f"{sampled} or concepts.long.noun",
        ),
        "an image of rods": (
            f"{sampled} (model `base-toy`, concept `long`)",
            f"{sampled} or concepts.long.noun",
        ),
        "debris": ("sampling.sampler.negative_prompt", "sampling.sampler.negative_prompt"),
    }


def test_runs_bring_their_concepts_and_the_captions_of_their_prompts(folder: Folder) -> None:
    (run,) = study_to_prompts(folder.load(), "toy").runs
    assert [concept.identifier for concept in run.concepts] == ["auto", "zqx"]
    assert run.captions == ("dense", "sparse")


def test_other_bases_are_given_nothing_of_these_runs(folder: Folder) -> None:
    asked = study_to_prompts(folder.load(), "gone")
    assert asked.runs == ()
    assert [prompt.text for prompt in asked.prompts] == ["debris"]


def doubts(folder: Folder, class_prompt: str, modality: str = "oblique") -> list[str]:
    folder.runs = RUNS + "one\ttoy\tround-64\tclass\tauto\n"
    folder.config["priors"]["class"]["class_prompt"] = class_prompt
    folder.config["concepts"]["round"]["modality"] = modality
    return doubtful_class_prompts(folder.load())


@pytest.mark.parametrize(
    "class_prompt",
    ["a medical image of cells", "an oblique image of Cells", "an oblique brightfield cells"],
)
def test_class_images_of_the_class_are_not_doubted(folder: Folder, class_prompt: str) -> None:
    assert doubts(folder, class_prompt) == []


@pytest.mark.parametrize(
    ("class_prompt", "told"),
    [
        ("an image of cellsheets", "does not name the class noun"),
        ("an image of bacteria", "does not name the class noun `cells`"),
        ("a brightfield image of cells", "names brightfield, and not the light `oblique`"),
        ("a phase contrast image of cells", "names phase contrast"),
    ],
)
def test_class_images_of_another_class_or_light_are_doubted(
    folder: Folder, class_prompt: str, told: str
) -> None:
    (said,) = doubts(folder, class_prompt)
    assert told in said and "priors.class.class_prompt" in said and "`round`" in said
