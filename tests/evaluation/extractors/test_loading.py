"""Entries, fetching and loading by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError

from pipeline_lib.evaluation.extractors.contract import images_to_features
from pipeline_lib.evaluation.extractors.efficientnet_lite0 import EFFICIENTNET_LITE0_SHA256
from pipeline_lib.evaluation.extractors.entries import (
    INCEPTION_FILE,
    INCEPTION_SHA256,
    ExtractorCard,
)
from pipeline_lib.evaluation.extractors.fetching import fetch_extractor
from pipeline_lib.evaluation.extractors.inception_network import InceptionNetwork
from pipeline_lib.evaluation.extractors.loading import load_extractor, read_card
from pipeline_lib.evaluation.extractors.weights import read_checked_weights
from pipeline_lib.files import file_to_sha256, write_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.extractors import LPIPS_FILES, ExtractorEntry
from tests.evaluation.extractors import toy_extractors as toys
from tests.evaluation.shards import draw_fields
from tests.models.hub_server import REPOSITORY, REVISION, serve_hub

ROOT = Path(__file__).resolve().parents[3]
REGISTRY = {
    name: ExtractorEntry(**entry)
    for name, entry in yaml.safe_load((ROOT / "config/extractors.yaml").read_text()).items()
}
PLUGIN = "tests.evaluation.extractors.toy_extractors:good"
LPIPS_OF_THE_HUB = {"family": "lpips", "kind": "hub", "repository": "a/b", "revision": "0" * 40}


def no_download(*given):
    raise AssertionError("nothing is to be downloaded")


def fetch(entry, root, download=no_download, name="toy"):
    """Fetch into a folder below `root`."""
    return fetch_extractor(name, ExtractorEntry(**entry), root, root / "downloads", download)


# --- entries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTRY)
def test_shipped_entries_of_the_hub_are_pinned_and_name_their_files(name):
    entry = REGISTRY[name]
    if entry.kind == "hub":
        assert entry.revision and len(entry.revision) == 40
        assert "config.json" in entry.files
        assert sum(file in ("model.safetensors", "pytorch_model.bin") for file in entry.files) == 1
        assert ("merges.txt" in entry.files) == (entry.family == "clip")
    assert ExtractorEntry.model_validate_json(entry.model_dump_json()) == entry


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"family": "dinov2", "kind": "folder"}, "needs path"),
        ({"family": "dinov2", "kind": "hub"}, "needs repository and revision and files"),
        ({"family": "dinov2", "kind": "single_file", "path": "a"}, "folder or hub"),
        ({"family": "inception-fid", "kind": "folder", "path": "a"}, "single_file or hub"),
        ({"family": "efficientnet-lite0", "kind": "folder", "path": "a"}, "of kind package"),
        ({"family": "plug-in", "kind": "package"}, "needs attribute"),
        ({"family": "plug-in", "kind": "package", "attribute": "a.b"}, "pattern"),
        ({"family": "clip", "kind": "folder", "path": "a", "sha256": "12"}, "pattern"),
        ({"family": "clip", "kind": "folder", "path": "a", "sha": "12"}, "Extra inputs"),
        ({"family": "resnet", "kind": "folder", "path": "a"}, "dinov2"),
    ],
)
def test_entries_that_cannot_be_are_refused(entry, words):
    with pytest.raises(ValidationError, match=words):
        ExtractorEntry(**entry)


@pytest.mark.parametrize("files", [["*.pth"], ["alexnet*", "alex.pth"], ["*"]])
def test_patterns_may_name_both_files_of_lpips(files):
    assert ExtractorEntry(**LPIPS_OF_THE_HUB, files=files).files == tuple(files)


@pytest.mark.parametrize(
    "files",
    [["alex.pth"], ["alexnet-owt-7be5be79.pth"], ["weights/*.pth"], ["*.safetensors", "alex*5be*"]],
)
def test_entries_of_the_hub_without_both_files_of_lpips_are_refused(files):
    with pytest.raises(ValidationError, match="at the top of its repository; found") as refused:
        ExtractorEntry(**LPIPS_OF_THE_HUB, files=files)
    assert all(name in str(refused.value) for name in (*LPIPS_FILES, *files))


def test_the_shipped_inception_is_the_one_that_fid_is_defined_by():
    assert REGISTRY["inception-fid"].sha256 == INCEPTION_SHA256
    assert Path(REGISTRY["inception-fid"].path).name == INCEPTION_FILE


def test_importing_entries_stays_light():
    code = "import sys, pipeline_lib.evaluation.extractors.entries; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"torch", "transformers", "numpy", "scipy"}.isdisjoint(done.stdout.split())


# --- fetching, then loading -----------------------------------------------------------------------


@pytest.mark.parametrize("family", ["dinov2", "dino", "clip"])
def test_a_folder_is_described_and_loaded_by_its_description(family, tmp_path):
    getattr(toys, f"build_{family}")(tmp_path / "model")
    card = fetch({"family": family, "kind": "folder", "path": "model"}, tmp_path, name="my-net")
    assert card.sha256 == file_to_sha256(tmp_path / "model/model.safetensors")
    assert card.files["config.json"] == file_to_sha256(tmp_path / "model/config.json")
    write_json(tmp_path / "card.json", card.model_dump() | {"provenance": {"stage": "fetch"}})
    extractor = load_extractor(read_card(tmp_path / "card.json"))
    assert (extractor.name, extractor.family) == ("my-net", family)
    assert extractor.weights_sha256 == card.sha256
    features = images_to_features(extractor, draw_fields(0, 2, 48))
    assert features.shape == (2, extractor.dimensions)


def test_weights_that_changed_after_fetching_are_refused(tmp_path):
    toys.build_dino(tmp_path / "model")
    card = fetch({"family": "dino", "kind": "folder", "path": "model"}, tmp_path)
    with (tmp_path / "model/model.safetensors").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\x00\x00\x80\x3f")
    with pytest.raises(UserError, match=rf"needed is {card.sha256}"):
        load_extractor(card)


def test_weights_other_than_the_entry_s_are_refused_when_fetched(tmp_path):
    toys.build_dino(tmp_path / "model")
    entry = {"family": "dino", "kind": "folder", "path": "model", "sha256": "0" * 64}
    with pytest.raises(UserError, match=r"have SHA-256 .* needed is 0{64}"):
        fetch(entry, tmp_path)


def test_a_single_file_of_inception_is_described_and_loaded(tmp_path):
    torch.save(InceptionNetwork().state_dict(), tmp_path / "weights.pth")
    card = fetch(
        {"family": "inception-fid", "kind": "single_file", "path": "weights.pth"}, tmp_path
    )
    assert card.files == {"weights.pth": card.sha256}
    assert load_extractor(card).dimensions == 2048
    with pytest.raises(UserError, match="needed is 6726825d"):
        fetch(REGISTRY["inception-fid"].model_dump() | {"path": "weights.pth"}, tmp_path)


def test_missing_files_say_where_they_are_published(tmp_path):
    with pytest.raises(UserError, match=rf"{INCEPTION_FILE} of the releases .*pytorch-fid"):
        fetch(REGISTRY["inception-fid"].model_dump(), tmp_path)
    with pytest.raises(UserError, match="put the weights there, or correct `path: model`"):
        fetch({"family": "dino", "kind": "folder", "path": "model"}, tmp_path)


def test_a_pinned_revision_is_downloaded_by_its_names(tmp_path):
    asked = []

    def download(repository, revision, downloads, files):
        asked.append((repository, revision, downloads, tuple(files)))
        toys.build_dinov2(tmp_path / "model")
        return tmp_path / "model"

    entry = REGISTRY["dinov2-base"]
    card = fetch(entry.model_dump(), tmp_path, download, "dinov2-base")
    assert asked == [(entry.repository, entry.revision, tmp_path / "downloads", entry.files)]
    assert (card.repository, card.revision) == (entry.repository, entry.revision)
    assert card.sha256 == file_to_sha256(tmp_path / "model/model.safetensors")


def test_of_a_repository_of_inception_one_file_must_match(tmp_path):
    for name in ("a.pth", "b.pth"):
        torch.save(InceptionNetwork().state_dict(), tmp_path / name)
    entry = {"family": "inception-fid", "kind": "hub", "repository": "a/b", "revision": "0" * 40}

    def download(*given):
        return tmp_path

    card = fetch(entry | {"files": ("a.pth",)}, tmp_path, download)
    assert Path(card.weights).name == "a.pth"
    with pytest.raises(UserError, match=r"\*\.pth are 2 files, needed is one"):
        fetch(entry | {"files": ("*.pth",)}, tmp_path, download)


def test_the_hub_s_client_brings_the_named_files_alone(tmp_path):
    served = tmp_path / "served"
    toys.build_dinov2(served)
    (served / "pytorch_model.bin").write_bytes(b"clutter")
    entry = {"family": "dinov2", "kind": "hub", "repository": REPOSITORY, "revision": REVISION}
    entry |= {"files": ["config.json", "preprocessor_config.json", "model.safetensors"]}
    code = (
        "import json, sys; from pathlib import Path\n"
        "from pipeline_lib.settings.extractors import ExtractorEntry\n"
        "from pipeline_lib.evaluation.extractors.fetching import fetch_extractor\n"
        "from pipeline_lib.models.fetching import download_from_hub\n"
        "entry = ExtractorEntry.model_validate_json(sys.argv[1])\n"
        "root = Path(sys.argv[2])\n"
        "card = fetch_extractor('toy', entry, root, root / 'downloads', download_from_hub)\n"
        "(root / 'card.json').write_text(card.model_dump_json())\n"
    )
    with serve_hub(served) as hub:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-c", code, json.dumps(entry), str(tmp_path)]
        subprocess.run(command, cwd=ROOT, env=clean | own, check=True)
    card = read_card(tmp_path / "card.json")
    assert set(card.files) == {"config.json", "model.safetensors"}
    images = draw_fields(0, 1, 48)
    by_folder = fetch({"family": "dinov2", "kind": "folder", "path": "served"}, tmp_path)
    fetched, local = (
        images_to_features(load_extractor(each), images) for each in (card, by_folder)
    )
    assert np.array_equal(fetched, local)


def test_packages_need_no_fetching(tmp_path):
    card = fetch({"family": "efficientnet-lite0", "kind": "package"}, tmp_path, name="lite")
    extractor = load_extractor(card)
    assert (extractor.name, extractor.weights_sha256) == ("lite", EFFICIENTNET_LITE0_SHA256)
    with pytest.raises(UserError, match=rf"{EFFICIENTNET_LITE0_SHA256}, needed is 0000"):
        load_extractor(card.model_copy(update={"sha256": "0" * 64}))


def test_a_plugin_s_entry_gives_it_its_name_and_may_pin_its_weights(tmp_path):
    entry = {"family": "plug-in", "kind": "package", "attribute": PLUGIN}
    assert load_extractor(fetch(entry, tmp_path, name="ours")).name == "ours"
    assert load_extractor(fetch(entry | {"sha256": "ab" * 32}, tmp_path)).dimensions == 2
    with pytest.raises(UserError, match=rf"have SHA-256 {'ab' * 32}, needed is 0000"):
        load_extractor(fetch(entry | {"sha256": "0" * 64}, tmp_path))


# --- names ----------------------------------------------------------------------------------------


def test_unknown_names_and_those_that_need_fetching_are_refused():
    for name in ("inception", "dinov2", "plug-in"):
        with pytest.raises(UserError, match=rf"'{name}': .* no package.*module:attribute"):
            load_extractor(name)
    with pytest.raises(UserError, match="not of the form module:attribute"):
        load_extractor("module:")


def test_descriptions_without_weights_are_refused():
    with pytest.raises(UserError, match="has no weights in its description; fetch it again"):
        load_extractor(ExtractorCard(name="toy", family="dinov2"))


def test_changed_weights_of_a_package_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"have SHA-256 .* needed is 0000"):
        read_checked_weights(path, "0000")
    read = read_checked_weights(path, file_to_sha256(path))
    assert torch.equal(read["a"], torch.zeros(2))
