"""A release as others' tools open it: `datasets`, mlcroissant, sha256sum, the hub's cards."""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import DatasetCard, ModelCard

from pipeline_lib.files import folder_to_sha256
from pipeline_lib.imaging.writing import read_provenance
from pipeline_lib.sampling.shard_files import read_pictures
from tests.evaluation.shards import draw_fields
from tests.release.released import REPOSITORY, Inputs, run_release

LOST = "yeast/yeast-64-subject/000000.tif"
KEPT = (0, 2, 4)  # the second is blank, the fourth a copy


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def release(inputs):
    return inputs.give_out(licence="CC-BY-4.0")


def open_by_datasets(folder: Path, cache: Path):
    import datasets  # seconds

    return datasets.load_dataset(str(folder), split="train", cache_dir=str(cache))


def test_the_table_has_a_row_for_each_image(release):
    table = pd.read_csv(release / "metadata.csv")
    assert table.columns[0] == "file_name"
    assert table["file_name"].tolist() == [
        path.relative_to(release).as_posix() for path in sorted(release.rglob("*.tif"))
    ]
    assert set(table["text"]) == {'a picture of cells, "dense"'}
    assert set(table["prompt"]) == {'a picture of zqx cells, "dense"'}
    assert table.groupby("concept")["index"].agg(list).to_dict() == {
        "test-cells": list(KEPT),
        "yeast": list(KEPT),
    }
    assert set(table["pixel_size_um"]) == {0.5} and set(table["verdict"]) == {"new"}


def test_copies_are_given_out_where_they_are_wanted(inputs):
    folder = inputs.give_out("copies", hold_back_copies=False)
    table = pd.read_csv(folder / "metadata.csv")
    assert table["verdict"].value_counts().to_dict() == {"new": 6, "copy": 2}
    assert "were **not** held back: `verdict` tells them" in (folder / "README.md").read_text()


def test_captions_can_be_the_prompts(inputs):
    table = pd.read_csv(inputs.give_out("prompts", captions="prompt") / "metadata.csv")
    assert table["text"].equals(table["prompt"])


@pytest.mark.parametrize("form", ["ome-tiff", "tiff", "png"])
def test_imagefolder_opens_images_with_their_words(inputs, form, tmp_path):
    """A concept named like a split is none: the card says which files are the data."""
    opened = open_by_datasets(inputs.give_out(form, format=form), tmp_path)
    assert opened.num_rows == 6
    assert {"image", "text", "concept", "pixel_size_um"} <= set(opened.column_names)
    for row in opened:
        seed = inputs.concepts.index(row["concept"])
        np.testing.assert_array_equal(
            np.asarray(row["image"]), draw_fields(seed, 5, 64)[row["index"]]
        )


def test_imagefolder_opens_a_folder_without_its_card(release, tmp_path):
    import datasets

    plain = tmp_path / "plain"
    shutil.copytree(release, plain, ignore=shutil.ignore_patterns("README.md"))
    files = {"train": ["metadata.csv", "*/*/*.tif"]}
    opened = datasets.load_dataset(
        "imagefolder", data_dir=str(plain), data_files=files, split="train", cache_dir=str(tmp_path)
    )
    assert opened.num_rows == 6 and "text" in opened.column_names


@pytest.mark.parametrize("form", ["ome-tiff", "tiff", "png"])
def test_croissant_is_valid_and_gives_the_records(inputs, form, caplog):
    import mlcroissant

    folder = inputs.give_out(f"croissant-{form}", format=form, licence="CC0-1.0")
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not dataset.metadata.issues.errors
    # What only a publisher knows is recommended, and not made up.
    unknown = {"citeAs", "datePublished", "version"}
    assert all(any(name in said for name in unknown) for said in dataset.metadata.issues.warnings)
    records = list(dataset.records("images"))
    assert len(records) == 6
    for record in records:
        seed = inputs.concepts.index(record["images/concept"].decode())
        expected = draw_fields(seed, 5, 64)[record["images/index"]]
        # mlcroissant makes PNG colours and multiplies the samples of TIFF by 255, in 8 bits.
        shown = np.asarray(record["images/image"].convert("L"))
        np.testing.assert_array_equal(shown, expected if form == "png" else 0 - expected)
        assert record["images/text"].decode() == 'a picture of cells, "dense"'
    told = json.loads((folder / "croissant.json").read_text())
    assert told["license"] == "https://spdx.org/licenses/CC0-1.0.html"
    assert told["rai:dataCollectionRawData"].startswith("test-cells-source.tif (SHA-256 efef")


def test_a_missing_or_changed_file_is_told_by_the_sums(release, tmp_path):
    folder = shutil.copytree(release, tmp_path / "copy")
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=folder).returncode == 0
    listed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == set(folder_to_sha256(folder)) - {"SHA256SUMS"}
    (folder / LOST).unlink()
    said = subprocess.run(check, cwd=folder, capture_output=True, text=True)
    assert said.returncode != 0 and f"{LOST}: FAILED open or read" in said.stdout


def test_the_data_card_is_the_hubs(release):
    card = DatasetCard((release / "README.md").read_text())
    assert card.data.license == "cc-by-4.0"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.to_dict()["configs"][0]["data_files"][0]["path"] == [
        "metadata.csv",
        "*/*/*.tif",
    ]
    for words in (
        "**These images are synthetic.**",
        "| test-cells | test-cells-source.tif | `efef",
        "| copy | 2 |",
        "| blank | 2 |",
        "CC-BY-4.0. The terms of the base model (CreativeML Open RAIL-M)",
        "The caption is the prompt without the identifier",
        "on images of\nphase contrast microscopy",
        "| yeast | 3 | 64 x 64 | a picture of zqx cells",
    ):
        assert words in card.text
    assert "unused" not in card.text and "/home" not in card.text


def test_a_file_that_two_concepts_use_is_counted_once(release):
    """The fixture's sources have one hash: they are one file by two names."""
    assert "Trained on parts of 1 file:" in (release / "README.md").read_text()
    assert "It has seen parts of 1 file;" in (release / "model_card.md").read_text()


def test_a_release_without_a_licence_says_so(inputs):
    card = DatasetCard((inputs.give_out("unlicensed") / "README.md").read_text())
    assert card.data.license is None
    assert "None was stated (`release: {licence: ...}`)" in card.text


def test_the_model_card_is_that_of_diffusers(release):
    card = ModelCard((release / "model_card.md").read_text())
    assert card.data.base_model == REPOSITORY
    assert card.data.license == "creativeml-openrail-m"
    assert card.data.library_name == "diffusers"
    assert card.data.to_dict()["instance_prompt"] == "a picture of zqx cells"
    assert {"text-to-image", "dreambooth", "lora", "stable-diffusion"} <= set(card.data.tags)
    assert card.text.lstrip().startswith("# trial")
    assert "## Intended use" in card.text and "## Limits" in card.text
    assert "4 of 10 images that were drawn for the release were held back" in card.text


def test_provenance_names_model_settings_and_sources(release, inputs):
    told = json.loads((release / "provenance.json").read_text())
    assert told["synthetic"] is True
    assert told["settings"]["licence"] == "CC-BY-4.0"
    assert told["model"]["files"] == {"unet": "ab" * 32}
    assert told["trained_by"]["inputs"] == {"latents": ["cd" * 32]}
    assert told["base"]["repository"] == REPOSITORY
    assert [source["file"] for source in told["sources"]] == [
        "test-cells-source.tif",
        "yeast-source.tif",
    ]
    assert len(told["inputs"]) == 4


def test_equal_inputs_give_equal_files(release, inputs):
    again = inputs.give_out("again", licence="CC-BY-4.0")
    assert folder_to_sha256(again) == folder_to_sha256(release)


def test_plain_tiff_says_what_drew_it(inputs):
    folder = inputs.give_out("plain", format="tiff", scale="camera")
    path = next(folder.rglob("*.tif"))
    origin = read_provenance(path)
    assert origin["synthetic"] is True and origin["release"]["scale"] == "camera"
    assert b"OME" not in path.read_bytes()


def test_a_broken_shard_leaves_the_release_before(inputs, tmp_path, capfd):
    folder = inputs.give_out("kept")
    before = folder_to_sha256(folder)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(inputs.paths["shards"][0].read_bytes()[:-40])
    paths = inputs.paths | {"shards": [broken, inputs.paths["shards"][1]], "release": folder}
    stage = {"run": "trial", "concepts": list(inputs.concepts), "release": {}}
    assert run_release(stage, **paths) == 2
    assert "broken.zip is no whole shard: it is cut short" in capfd.readouterr().err
    assert folder_to_sha256(folder) == before


def test_a_release_of_no_image_is_told(tmp_path):
    inputs = Inputs(tmp_path)
    copies = pd.read_csv(inputs.paths["copies"], sep="\t").assign(verdict="copy")
    copies.to_csv(inputs.paths["copies"], sep="\t", index=False)
    folder = inputs.give_out()
    assert len(pd.read_csv(io.StringIO((folder / "metadata.csv").read_text()))) == 0
    assert "| copy | 8 |" in (folder / "README.md").read_text()
    assert next(read_pictures([inputs.paths["shards"][0] / "000000.tif"])).shape == (64, 64)
