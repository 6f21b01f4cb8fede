from __future__ import annotations

import json
import shutil

import pytest

from pipeline_lib.models.architecture import folder_to_description
from pipeline_lib.settings.base import UserError


@pytest.mark.parametrize(
    ("architecture", "prediction", "channels"),
    [
        ("tiny", "v_prediction", 8),
        ("sd15", "epsilon", 4),
        ("sd21", "v_prediction", 4),
        ("sdxl", "epsilon", 4),
    ],
)
def test_told_from_the_files(toy_card, architecture, prediction, channels):
    description = folder_to_description(toy_card(architecture).with_name("model"))
    assert description.architecture == architecture
    assert description.prediction_type == prediction
    assert description.latent_channels == channels
    assert description.downsampling == 8
    assert description.zero_empty_prompt == (architecture == "sdxl")


def test_missing_configuration_is_named(toy_card, tmp_path):
    shutil.copytree(toy_card("sd15").with_name("model"), tmp_path / "model")
    (tmp_path / "model/vae/config.json").unlink()
    with pytest.raises(UserError, match=r"vae/config\.json"):
        folder_to_description(tmp_path / "model")


def test_another_kind_of_denoiser_is_refused(toy_card, tmp_path):
    shutil.copytree(toy_card("sd15").with_name("model"), tmp_path / "model")
    config = tmp_path / "model/unet/config.json"
    config.write_text(json.dumps({"_class_name": "FluxTransformer2DModel"}))
    with pytest.raises(UserError, match="FluxTransformer2DModel"):
        folder_to_description(tmp_path / "model")
