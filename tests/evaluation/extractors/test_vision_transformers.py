"""DINOv2, DINO and CLIP by tiny random models of the real classes."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, ViTConfig, ViTModel

from pipeline_lib.evaluation.extractors.clip import (
    load_clip,
    load_prompt_encoder,
    prompts_to_features,
)
from pipeline_lib.evaluation.extractors.contract import images_to_features, place_extractor
from pipeline_lib.evaluation.extractors.dino import load_dino
from pipeline_lib.evaluation.extractors.dinov2 import load_dinov2
from pipeline_lib.files import file_to_sha256
from pipeline_lib.settings.base import UserError
from tests.evaluation.extractors import toy_extractors as toys
from tests.evaluation.shards import draw_fields

BUILDERS = {"dinov2": toys.build_dinov2, "dino": toys.build_dino, "clip": toys.build_clip}
LOADERS = {"dinov2": load_dinov2, "dino": load_dino, "clip": load_clip}
FAMILIES = list(LOADERS)
FIRST_NORM = r"(^vision_model.*layer_norm1|\.norm1|layernorm_before)\.weight"
PROMPTS = ["a brightfield image of cells", "bacteria"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder and model of each family."""
    root = tmp_path_factory.mktemp("models")
    return {name: (root / name, build(root / name)) for name, build in BUILDERS.items()}


@pytest.fixture(scope="module")
def loaded(built):
    """Extractor of each family."""
    return {
        name: place_extractor(load(f"toy-{name}", built[name][0]), "cpu")
        for name, load in LOADERS.items()
    }


@pytest.fixture
def copied(built, tmp_path):
    """Return a function that copies a family's folder."""
    return lambda family: shutil.copytree(built[family][0], tmp_path / family)


def reference(family, model, prepared):
    """Return what the definition of the features says, by the whole model."""
    with torch.inference_mode():
        if family == "clip":
            return model.get_image_features(pixel_values=prepared).pooler_output
        states = model(prepared, output_hidden_states=True).hidden_states
        return model.layernorm(states[-1][:, 0])


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_of_the_whole_model(family, built, loaded):
    images = draw_fields(0, 3, 64)
    prepared = loaded[family].prepare(torch.from_numpy(images))
    assert prepared.shape == (3, 3, 224, 224)
    features = images_to_features(loaded[family], images)
    expected = reference(family, built[family][1], prepared).numpy()
    assert features.shape == (3, loaded[family].dimensions)
    assert features == pytest.approx(expected, abs=1e-5)
    assert features.std(axis=0).mean() > 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_name_family_length_and_hash_are_told(family, built, loaded):
    extractor = loaded[family]
    assert (extractor.name, extractor.family) == (f"toy-{family}", family)
    assert extractor.dimensions == (toys.PROJECTED if family == "clip" else toys.WIDTH)
    weights = built[family][0] / "model.safetensors"
    assert extractor.weights_sha256 == file_to_sha256(weights)
    assert "224 x 224" in extractor.preprocessing


@pytest.mark.parametrize("family", FAMILIES)
def test_neither_batches_nor_chance_change_features(family, loaded):
    images = draw_fields(1, 5, 48)
    whole = images_to_features(loaded[family], images, batch_size=5)
    assert np.array_equal(images_to_features(loaded[family], images, batch_size=5), whole)
    for size in (1, 2):
        parts = images_to_features(loaded[family], images, batch_size=size)
        assert parts == pytest.approx(whole, abs=1e-4)
    turned = images_to_features(loaded[family], images[::-1], batch_size=5)
    assert turned[::-1] == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_other_weights_are_refused(family, built, copied):
    folder = built[family][0]
    right = file_to_sha256(folder / "model.safetensors")
    LOADERS[family]("toy", folder, right)
    with pytest.raises(UserError, match=rf"SHA-256 {right}, needed is {'0' * 64}"):
        LOADERS[family]("toy", folder, "0" * 64)
    changed = copied(family)
    with (changed / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    with pytest.raises(UserError, match=f"needed is {right}"):
        LOADERS[family]("toy", changed, right)


@pytest.mark.parametrize("family", FAMILIES)
def test_missing_tensors_are_refused_where_transformers_would_draw_them(family, copied):
    folder = copied(family)
    weights = load_file(folder / "model.safetensors")
    del weights[next(key for key in weights if re.search(FIRST_NORM, key))]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 tensors of .*whole model"):
        LOADERS[family]("toy", folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_kind_of_model_is_refused(family, built):
    other = FAMILIES[FAMILIES.index(family) - 1]
    with pytest.raises(UserError, match=r"is a model of type .*correct the extractor's family"):
        LOADERS[family]("toy", built[other][0])


@pytest.mark.parametrize("family", FAMILIES)
def test_another_normalisation_is_refused(family, copied):
    folder = copied(family)
    stated = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    with pytest.raises(UserError, match=r"image_mean is \[0\.5, 0\.5, 0\.5\]"):
        LOADERS[family]("toy", folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_files_give_float32_features(family, copied):
    folder = copied(family)
    weights = load_file(folder / "model.safetensors")
    halves = {key: value.half() for key, value in weights.items() if value.is_floating_point()}
    save_file(weights | halves, folder / "model.safetensors", metadata={"format": "pt"})
    toys.change_config(folder, dtype="float16")
    extractor = place_extractor(LOADERS[family]("toy", folder), "cpu")
    assert {value.dtype for value in extractor.network.parameters()} == {torch.float32}


def test_folders_without_configuration_or_weights_are_refused(tmp_path, copied):
    with pytest.raises(UserError, match=r"has no config\.json"):
        load_dinov2("toy", tmp_path)
    folder = copied("dinov2")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_dinov2("toy", folder)


def test_old_weights_files_are_read_without_running_their_code(built, copied):
    folder = copied("dino")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    images = draw_fields(3, 2, 48)
    old = place_extractor(load_dino("toy", folder), "cpu")
    new = place_extractor(load_dino("toy", built["dino"][0]), "cpu")
    assert np.array_equal(images_to_features(old, images), images_to_features(new, images))
    assert old.weights_sha256 == file_to_sha256(folder / "pytorch_model.bin")


def test_a_pooler_in_the_file_does_no_harm(built, tmp_path):
    model = toys.build_dino(tmp_path, pooler=True)
    images = draw_fields(3, 2, 48)
    extractor = place_extractor(load_dino("toy", tmp_path), "cpu")
    expected = reference("dino", model, extractor.prepare(torch.from_numpy(images))).numpy()
    assert images_to_features(extractor, images) == pytest.approx(expected, abs=1e-5)


def test_dinov2_patches_that_do_not_tile_the_picture_are_refused(tmp_path):
    from transformers import Dinov2Config, Dinov2Model

    Dinov2Model(Dinov2Config(**toys.LAYERS, patch_size=15, image_size=30)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"patches of 15 pixels do not tile 224 x 224"):
        load_dinov2("toy", tmp_path)


def test_dino_takes_pictures_of_the_size_it_was_trained_on(tmp_path):
    configuration = ViTConfig(**toys.LAYERS, intermediate_size=32, patch_size=8, image_size=96)
    ViTModel(configuration, add_pooling_layer=False).save_pretrained(tmp_path)
    extractor = place_extractor(load_dino("toy", tmp_path), "cpu")
    assert "96 x 96" in extractor.preprocessing
    assert images_to_features(extractor, draw_fields(0, 1, 64)).shape == (1, toys.WIDTH)


def test_prompts_are_embedded_as_by_the_whole_model(built):
    folder, model = built["clip"]
    encoder = load_prompt_encoder(folder)
    tokens = AutoTokenizer.from_pretrained(folder)(
        PROMPTS, padding="max_length", max_length=toys.TOKENS_IN_PROMPT, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = model.get_text_features(**tokens).pooler_output.numpy()
    found = prompts_to_features(encoder, PROMPTS)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-2
    assert encoder.weights_sha256 == load_clip("toy", folder).weights_sha256


def test_a_prompt_s_embedding_does_not_depend_on_those_beside_it(built):
    encoder = load_prompt_encoder(built["clip"][0])
    together = prompts_to_features(encoder, PROMPTS)
    alone = np.concatenate([prompts_to_features(encoder, [prompt]) for prompt in PROMPTS])
    assert together == pytest.approx(alone, abs=1e-5)
    assert prompts_to_features(encoder, []).shape == (0, toys.PROJECTED)


def test_prompts_longer_than_clip_reads_are_refused(built):
    encoder = load_prompt_encoder(built["clip"][0])
    most = " ".join(["cells"] * (toys.TOKENS_IN_PROMPT - 2))
    assert prompts_to_features(encoder, [most]).shape == (1, toys.PROJECTED)
    with pytest.raises(UserError, match=r"has 17 tokens, CLIP reads 16"):
        prompts_to_features(encoder, [f"{most} cells"])


def test_prompts_need_a_tokenizer(copied):
    folder = copied("clip")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(UserError, match=r"no tokenizer\.json and no vocab\.json"):
        load_prompt_encoder(folder)


def test_image_and_prompt_have_a_cosine(built, loaded):
    images = images_to_features(loaded["clip"], draw_fields(0, 2, 64))
    prompts = prompts_to_features(load_prompt_encoder(built["clip"][0]), PROMPTS)
    unit = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in (images, prompts)]
    assert np.abs(unit[0] @ unit[1].T).max() < 1
