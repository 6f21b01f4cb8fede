from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline_lib.files import file_to_sha256, folder_to_sha256, read_json
from pipeline_lib.models.fetching import (
    PINNED_CONFIGURATIONS,
    convert_single_file,
    expected_folder,
    fetch_model,
    single_file_folder,
)
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.base_prompts import BasePrompts, StatedPrompt
from tests.models.hub_server import REPOSITORY, REVISION, serve_hub
from tests.models.original_layout import write_original_layout
from tests.toy_models import build_toy_model

PROJECT = Path(__file__).parents[2]
CHUNK = 10 * 1024 * 1024  # what the hub's client writes at once
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hub(tmp_path):
    """Serve a toy model with the clutter that real repositories have."""
    folder = build_toy_model(tmp_path / "served", "sd15")
    for clutter in (
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "safety_checker/model.safetensors",
        "v1-5-pruned.ckpt",
        "v1-5-pruned.safetensors",
        "README.md",
    ):
        (folder / clutter).parent.mkdir(exist_ok=True)
        (folder / clutter).write_bytes(b"clutter")
    with serve_hub(folder) as hub:
        yield hub


def run_fetch(tmp_path, entry, hub=None, prompts=None, **environment):
    """Run the script as the workflow does; return its process and the description's path."""
    card = tmp_path / "out/model.json"
    paths = {"root": tmp_path, "model": card, "downloads": tmp_path / "downloads"}
    paths |= {} if prompts is None else {"prompts": prompts}
    arguments = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    own = {
        "PYTHONPATH": str(PROJECT),
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_ETAG_TIMEOUT": "5",
    }
    if hub is not None:
        own["HF_ENDPOINT"] = hub.address
    settings = json.dumps({"name": "toy", "entry": entry})
    process = subprocess.run(
        [sys.executable, PROJECT / "scripts/fetch.py", "--settings", settings, *arguments],
        env=clean | own | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return process, card


FROM_HUB = {"kind": "hub", "repository": REPOSITORY, "revision": REVISION, "licence": "MIT"}


def test_a_pinned_model_comes_from_the_hub_without_duplicates(hub, tmp_path, monkeypatch):
    process, card = run_fetch(tmp_path, FROM_HUB, hub)
    assert process.returncode == 0, process.stderr
    described = json.loads(card.read_text())
    assert described["architecture"] == "sd15"
    assert described["revision"] == REVISION
    assert described["files"][UNET] == file_to_sha256(hub.folder / UNET)
    kept = set(folder_to_sha256(tmp_path / described["folder"]))
    assert kept == set(described["files"])
    assert not any("clutter" in name or "fp16" in name or ".bin" in name for name in kept)
    assert "safety_checker/model.safetensors" not in kept and "v1-5-pruned.safetensors" not in kept
    monkeypatch.chdir(tmp_path)
    assert load_model(card).architecture == "sd15"
    before = len([line for line in hub.requests if line.startswith("GET /storage")])
    again, _ = run_fetch(tmp_path, FROM_HUB, hub)
    assert again.returncode == 0
    assert len([line for line in hub.requests if line.startswith("GET /storage")]) == before


def test_a_broken_connection_is_taken_up_where_it_broke(hub, tmp_path):
    part = "text_encoder/model-00001-of-00002.safetensors"
    (hub.folder / part).write_bytes(os.urandom(CHUNK + CHUNK // 2))
    hub.cut[part] = CHUNK + 1000
    process, card = run_fetch(tmp_path, FROM_HUB, hub)
    assert process.returncode == 0, process.stderr
    assert json.loads(card.read_text())["files"][part] == file_to_sha256(hub.folder / part)
    asked = [line for line in hub.requests if line.startswith(f"GET /storage/{part}")]
    assert asked == [f"GET /storage/{part}", f"GET /storage/{part} bytes={CHUNK}-"]


def test_other_bytes_than_the_hub_states_are_refused_and_removed(hub, tmp_path):
    hub.corrupt.add(UNET)
    process, card = run_fetch(tmp_path, FROM_HUB, hub)
    assert process.returncode == 2
    assert f"{UNET} of" in process.stderr and "SHA-256" in process.stderr
    assert not card.exists()
    hub.corrupt.clear()
    assert run_fetch(tmp_path, FROM_HUB, hub)[0].returncode == 0


def test_unknown_repositories_and_offline_nodes_get_advice(hub, tmp_path):
    unknown = FROM_HUB | {"repository": "lab/none"}
    process, _ = run_fetch(tmp_path, unknown, hub)
    assert process.returncode == 2
    assert "lab/none" in process.stderr and "HF_TOKEN" in process.stderr
    assert "Traceback" not in process.stderr
    process, _ = run_fetch(tmp_path, FROM_HUB, hub, HF_HUB_OFFLINE="1")
    assert process.returncode == 2
    assert "login node" in process.stderr


def test_a_folder_is_described_where_it_lies(toy_card, tmp_path):
    root = toy_card("tiny").parent
    described = fetch_model("own", BaseModelEntry(kind="folder", path="model"), root, tmp_path)
    assert Path(described["folder"]) == (root / "model").resolve()
    assert described["files"] == folder_to_sha256(root / "model")
    assert described["latent_channels"] == 8
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_single_file_becomes_the_model_that_it_was_made_from(tmp_path, monkeypatch):
    source = build_toy_model(tmp_path / "source", "sd15")
    write_original_layout(source, tmp_path / "v1.safetensors")
    with serve_hub(source, *PINNED_CONFIGURATIONS["v1"]) as hub:
        process, card = run_fetch(tmp_path, {"kind": "single_file", "path": "v1.safetensors"}, hub)
    assert process.returncode == 0, process.stderr
    assert not [line for line in hub.requests if "/storage/" in line]  # configurations alone
    monkeypatch.chdir(tmp_path)
    converted = load_model(card, device="cpu")
    (tmp_path / "source.json").write_text(json.dumps({"folder": str(source)}))
    wanted = load_model(tmp_path / "source.json", device="cpu")
    assert converted.tokenizers[0].get_vocab() == wanted.tokenizers[0].get_vocab()
    for part in ("unet", "vae"):
        assert_equal_weights(getattr(converted, part), getattr(wanted, part))
    assert_equal_weights(converted.text_encoders[0], wanted.text_encoders[0])


def assert_equal_weights(found, wanted):
    """Compare the weights of two modules."""
    found, wanted = found.state_dict(), wanted.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_missing_paths_and_pickles_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        fetch_model("own", BaseModelEntry(kind="folder", path="none"), tmp_path, tmp_path)
    (tmp_path / "model.ckpt").write_bytes(b"")
    single = BaseModelEntry(kind="single_file", path="model.ckpt")
    with pytest.raises(UserError, match="pickled"):
        fetch_model("own", single, tmp_path, tmp_path)


def asked(tmp_path, text):
    """Write one prompt as the workflow does, and return its file."""
    stated = StatedPrompt(where="priors.a.class_prompt", text=text, mend="priors.a.class_prompt")
    path = tmp_path / "prompts.json"
    path.write_text(BasePrompts(base="toy", prompts=(stated,), runs=()).model_dump_json())
    return path


def test_a_prompt_that_is_too_long_ends_the_fetching_before_anything_else(hub, tmp_path):
    process, card = run_fetch(tmp_path, FROM_HUB, hub, asked(tmp_path, "cells " * 30))
    assert process.returncode == 2
    assert "has 32 tokens, start and end included, of which `toy` reads 24" in process.stderr
    assert "shorten it by priors.a.class_prompt" in process.stderr
    assert not card.exists()
    process, card = run_fetch(tmp_path, FROM_HUB, hub, asked(tmp_path, "cells"))
    assert process.returncode == 0, process.stderr
    assert card.exists()


def test_models_lie_where_they_are_expected(hub, toy_card, tmp_path):
    process, card = run_fetch(tmp_path, FROM_HUB, hub)
    assert process.returncode == 0, process.stderr
    entry = BaseModelEntry.model_validate(FROM_HUB)
    expected = expected_folder(entry, tmp_path, tmp_path / "downloads")
    assert (tmp_path / read_json(card)["folder"]).resolve() == expected
    folder = BaseModelEntry(kind="folder", path=str(toy_card("tiny").with_name("model")))
    assert expected_folder(folder, tmp_path, tmp_path) == toy_card("tiny").with_name("model")


def test_a_single_file_is_expected_by_its_content(tmp_path):
    entry = BaseModelEntry(kind="single_file", path="a.safetensors")
    assert not expected_folder(entry, tmp_path, tmp_path / "downloads").exists()
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"1")
    folder = single_file_folder(path, file_to_sha256(path), tmp_path / "downloads")
    assert expected_folder(entry, tmp_path, tmp_path / "downloads") == folder
    folder.mkdir(parents=True)  # as if it were converted: it is not converted again
    assert convert_single_file(path, tmp_path / "downloads") == folder
    path.write_bytes(b"2")
    assert expected_folder(entry, tmp_path, tmp_path / "downloads") != folder
