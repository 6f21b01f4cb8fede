from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.extractors.contract import images_to_features, place_extractor
from pipeline_lib.evaluation.extractors.loading import load_extractor
from pipeline_lib.evaluation.extractors.plugins import check_values, load_plugin, try_extractor
from pipeline_lib.settings.base import UserError
from tests.evaluation.extractors.toy_extractors import GOOD, Given, means

MODULE = "tests.evaluation.extractors.toy_extractors"


def test_a_plugin_s_features_are_its_own():
    extractor = load_extractor(f"{MODULE}:good")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16), dtype=np.uint8)
    features = images_to_features(extractor, images)
    assert features[:, 0] == pytest.approx(images.mean(axis=(1, 2)), rel=1e-5)
    assert (extractor.name, extractor.family) == ("mean-and-spread", "plug-in")


def test_attributes_of_attributes_are_found():
    assert load_plugin(f"{MODULE}:Holder.inner").name == "mean-and-spread"


def test_a_module_from_a_file_on_the_path_is_loaded(tmp_path, monkeypatch):
    text = f"from {MODULE} import GOOD\ndef build():\n    return GOOD\n"
    (tmp_path / "somebodys_extractor.py").write_text(text)
    with pytest.raises(UserError, match=r"cannot be imported .* PYTHONPATH"):
        load_plugin("somebodys_extractor:build")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_plugin("somebodys_extractor:build").dimensions == 2


def test_a_module_that_lacks_a_package_is_refused_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "hungry_extractor.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="No module named 'a_package_that_is_not_there'"):
        load_plugin("hungry_extractor:build")


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ("nothing", "found nothing in .* by that name"),
        ("NUMBER", "found int in"),
        ("Holder.other", "found nothing"),
        ("no_extractor", "the call gave dict, needed is an Extractor"),
        ("double_precision", r"gave torch\.float64 of shape \(3, 2\), needed is torch\.float32"),
        ("wrong_length", r"of shape \(3, 2\), needed is torch\.float32 of shape \(3, 3\)"),
        ("an_array", "the network gave ndarray, needed is a tensor"),
        ("not_finite", "not finite"),
        ("neighbourly", "depend on those beside it"),
        ("by_chance", "other features the second time"),
        ("colour_only", r"failed on 3 images of 64 x 64 pixels \(IndexError"),
        ("named_badly", "name is 'Mean / spread', it must match"),
        ("hashed_badly", "weights_sha256 is 'none', it must be 64 hexadecimal digits"),
        ("without_length", "dimensions is 0, it must be 1 or more"),
        ("without_words", "preprocessing is '', it must say something"),
    ],
)
def test_what_is_no_extractor_is_refused_in_words(attribute, words):
    with pytest.raises(UserError, match=words) as caught:
        load_plugin(f"{MODULE}:{attribute}")
    assert f"plug-in {MODULE}:{attribute}" in str(caught.value)


@pytest.mark.parametrize("written", ["", ":", "module:", ":attribute", "a b:c", "a:b:c", "a;b:c"])
def test_what_is_not_written_as_module_and_attribute_is_refused(written):
    with pytest.raises(UserError, match="not of the form module:attribute"):
        load_plugin(written)


def test_a_network_in_training_mode_is_tried_as_it_is_used():
    torch.manual_seed(0)  # two masks of few features are equal now and then
    network = torch.nn.Sequential(Given(means), torch.nn.Dropout()).train()
    with pytest.raises(UserError, match="second time"):
        try_extractor(replace(GOOD, network=network), "toy")
    try_extractor(place_extractor(replace(GOOD, network=network), "cpu"), "toy")


def test_trying_finds_a_slight_leaning_on_the_images_beside():
    def leaning(images):
        return means(images) + 0.05 * means(images).mean(dim=0)

    with pytest.raises(UserError, match="beside it"):
        try_extractor(replace(GOOD, network=Given(leaning)), "toy")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": means}, r"must be a torch\.nn\.Module"),
        ({"prepare": None}, "prepare is None, it must be callable"),
        ({"dimensions": True}, "dimensions is True"),
        ({"dimensions": 2.0}, r"dimensions is 2\.0"),
        ({"name": "a\n"}, "name is"),
    ],
)
def test_values_that_cannot_run_or_be_written_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        check_values(replace(GOOD, **changes), "toy")


@given(st.text(alphabet="ab9_-A \n/.é", max_size=6))
def test_names_are_refused_exactly_where_they_are_no_slugs(name):
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    right = bool(name) and set(name) <= letters and name[0] not in "_-"
    if right:
        check_values(replace(GOOD, name=name), "toy")
    else:
        with pytest.raises(UserError, match="name is"):
            check_values(replace(GOOD, name=name), "toy")
