"""Words about images of a model that reads no prompts."""

from __future__ import annotations

import pytest

from pipeline_lib.release.captions import prompt_to_caption


@pytest.mark.parametrize("captions", ["plain", "prompt"])
def test_an_image_without_a_prompt_is_called_by_light_and_noun(captions: str) -> None:
    taught = {"identifier": "", "noun": "yeast", "modality": "phase_contrast"}
    said = prompt_to_caption("", taught, captions)
    assert said == "phase contrast microscopy image of yeast"
