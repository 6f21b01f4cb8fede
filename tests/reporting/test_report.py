"""The whole way: files of a simulated run, the program, the page."""

import argparse
import base64
import io
import json
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from pipeline_lib.evaluation.comparisons import rows_to_table
from pipeline_lib.evaluation.concept_metrics import ConceptSets, evaluate_concept
from pipeline_lib.evaluation.embedding_rows import ExtractorFacts
from pipeline_lib.evaluation.image_sets import (
    Described,
    MappedRegions,
    read_manifests,
    read_tiles,
    rows_to_images,
)
from pipeline_lib.evaluation.spectra import images_to_power, power_to_radial
from pipeline_lib.frames import read_frame
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.imaging.stacks import read_planes, read_stack, write_planes, write_stack
from pipeline_lib.models.cards import TRAINED_CARD
from pipeline_lib.reporting.figures import COLOURS
from pipeline_lib.reporting.inputs import read_samples
from pipeline_lib.reporting.methods import card_to_licences
from pipeline_lib.reporting.nearest import Pair, copies_to_pairs
from pipeline_lib.reporting.tables import number
from pipeline_lib.sampling.shard_files import read_pictures, shard_to_time_file
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.evaluation import EvaluationSettings
from pipeline_lib.settings.report import ReportStage, StudyReportStage
from tests.reporting.conftest import (
    read_page,
    study_paths,
    write_camera,
    write_run,
    write_shard,
)

ROOT = Path(__file__).parents[2]
TITLE = "Cells <script>alert(1)</script> & more"


def run_program(command):
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def call_script(name, settings, paths):
    """Do the work of a program in this process: most tests need no second start of Python."""
    script = runpy.run_path(str(ROOT / "scripts" / f"{name}.py"), run_name=name)
    model = {"report": ReportStage, "study": StudyReportStage}[name]
    script[name](model.model_validate(settings), argparse.Namespace(**paths))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("report") / "demo", ("cells", "debris"), TITLE)
    done = run_program(["-X", "importtime", *run.command("scripts/report.py")])
    assert done.returncode == 0, done.stderr
    run.imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    return run


@pytest.fixture(scope="module")
def page(made):
    return read_page(made.paths["page"])


def test_page_is_one_whole_document(page):
    assert page.unbalanced == [] and page.open == []
    (viewport,) = [tag for tag in page.all("meta") if tag.get("name") == "viewport"]
    assert "width=device-width" in viewport["content"]


def test_page_needs_no_other_file(made, page):
    html = made.paths["page"].read_text()
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", html))
    assert page.all("script") == [{}] and page.all("link") == []
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert all(image["alt"] for image in page.all("img"))
    links = [link["href"] for link in page.all("a") if "download" not in link]
    assert all(link.startswith("#") for link in links)
    anchors = [tag["id"] for _, tag in page.tags if "id" in tag]
    assert {link[1:] for link in links} <= set(anchors) and len(set(anchors)) == len(anchors)


def test_the_table_can_be_downloaded_as_it_was_measured(made, page):
    links = [link for link in page.all("a") if "download" in link]
    assert [link["download"] for link in links] == [
        "metrics-demo-cells.csv",
        "metrics-demo-debris.csv",
    ]
    text = base64.b64decode(links[1]["href"].partition(";base64,")[2])
    metrics = pd.read_csv(made.paths["metrics"])
    expected = metrics[metrics["concept"] == "debris"].reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(text)), expected)


def test_each_note_of_the_table_stands_once(page):
    notes = [tag["id"] for tag in page.all("li") if tag.get("id", "").startswith("note-cells")]
    assert notes == ["note-cells-1"]
    own = [link for link in page.all("a") if link["href"] == "#note-cells-1"]
    assert len(own) == 4
    assert page.text.count("One field: differences cannot be told from chance.") == 2 * 2


def test_words_of_the_user_are_escaped(made, page):
    assert "<script>alert" not in made.paths["page"].read_text()
    assert TITLE in page.text and "saturated <b>" in page.text


def test_parts_stand_in_order(page):
    parts = [
        "made by a model. No microscope took them", "In short: cells", "Are the images usable?",
        "For what?", "What to improve first?", "In short: debris", "Six numbers: cells",
        "Overall likeness", "What the answers rest on", "The whole table", "Download the table",
        "Images: cells", "Real, held out", "The same, through the VAE", "Synthetic (tuned)",
        "Untuned base", "Best: nearest to real", "Median", "Worst: farthest from real",
        "Copies of training images: cells", "Objects: cells", "Spectrum and grey values: cells",
        "What data went in: cells", "Six numbers: debris", "Losses by step", "Class images: what",
        "Time and GPU-hours by stage", "Copy the paragraph", "Base model and concepts",
    ]  # fmt: skip
    places = [page.text.index(part) for part in parts]
    assert places == sorted(places)
    html_order = [tag["id"] for name, tag in page.tags if name == "section"]
    kinds = ["numbers", "images", "nearest", "objects", "curves", "data"]
    assert html_order == [
        "answers",
        *(f"{kind}-{concept}" for concept in ("cells", "debris") for kind in kinds),
        "training", "methods", "settings", "reading", "limits",
    ]  # fmt: skip


def test_numbers_and_warnings_are_on_the_page(page):
    for words in (
        "One field: differences cannot be told from chance.",
        "Some synthetic images are no pictures: 1 not finite.",
        "no validation loss was recorded to choose one by",
        "Frechet distance (EfficientNet-Lite0)",
        "Kernel distance (EfficientNet-Lite0) of 200 synthetic images to 60 held-out real tiles",
        "Copies of training images: 1 of 23 (4.3 %).",
        "Nobody chose these pictures.",
        "Quality check: 9 of 10 planes passed without remark",
        "Training and held-out tiles are regions of the same field.",
        "a microscopy image of zqx cells",
        "ab" * 32,
        "cd" * 32,
        "5e-06",
    ):
        assert words in page.text
    assert not re.search(r"\b(FID|KID)\b", page.text)


def test_what_the_split_and_the_map_warn_of_is_on_the_page(page):
    text = page.text
    assert "What to know of this split and map" in text
    assert "4.3% of the pixels of the foreground lie beyond black or white" in text
    assert "losses.clipped_foreground" in text and "0.0431" in text
    assert "split_warnings" not in text


def test_methods_and_licences_name_this_run(page):
    for words in (
        "brightfield-tiny was fine-tuned by DreamBooth (Ruiz et al. 2023)",
        "60 optimizer steps, learning rate 5e-06, seed 0",
        "trained on 12 tiles from 1 field of the microscope, 64 x 64 pixels each",
        "20 tiles from 1 field were held out",
        "24 synthetic images were drawn with the prompt",
        "was 0.02 for synthetic images, 0.1 for the base model before fine-tuning",
        "1 of 23 images were copies",
        "its licence MIT",
        "fine-tuned: unet/diffusion_pytorch_model.safetensors " + "cd" * 32,
    ):
        assert words in page.text


def test_restrictions_of_a_licence_are_passed_on():
    rows = card_to_licences({"base": "big", "licence": "CreativeML Open RAIL-M"}).rows
    assert any("hold for the fine-tuned model" in row[1] for row in rows)
    assert card_to_licences({"base": "big"}).rows[1][1].startswith("unknown")


def test_camera_noise_is_said_and_shown(page):
    assert "deviation of 8.0 of 255 grey levels" in page.text
    assert "given back to all images made by a model" in page.text
    assert len([tag for tag in page.all("img") if tag["alt"] == "Camera noise by grey value."]) == 2


@pytest.mark.parametrize("lost", [True, False])
def test_camera_noise_that_was_not_given_back_is_said(tmp_path, lost):
    run = write_run(tmp_path / "demo")
    if lost:
        run.paths["cameras"] = []
    else:
        write_camera(run.paths["cameras"][0], 0.0)
    call_script("report", run.settings, run.paths)
    words = "sampling.camera_noise: none" if lost else "No grain of the camera was found"
    assert words in read_page(run.paths["page"]).text


def test_compression_is_said(page, tmp_path):
    words = "compressed in the same steps", "compressed in the steps of the tiles' JPEG"
    assert not any(said in page.text for said in words)
    run = write_run(tmp_path / "demo")
    write_camera(run.paths["cameras"][0], step=9.0)
    call_script("report", run.settings, run.paths)
    text = read_page(run.paths["page"]).text
    assert all(said in text for said in words)


def test_pictures_are_the_files_own_grey_values(made, page):
    images = [image for image in page.all("img") if image["alt"].startswith("Synthetic (tuned)")]
    shown = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1]))))
        for image in images[:8]
    ]
    # The third image is not finite and has no file: the first eight usable ones follow each other.
    rows = read_manifests(made.paths["tuned_shards"][:1])
    expected = read_samples(rows, "cells").first[:8]
    np.testing.assert_array_equal(shown, expected)


def shown_pictures(page, words):
    images = [image for image in page.all("img") if image["alt"].startswith(words)]
    return [Image.open(io.BytesIO(base64.b64decode(one["src"].split(",")[1]))) for one in images]


def test_best_median_and_worst_are_shown_with_their_numbers(made, page):
    # The distance of image i is |i - 9|; the third has no file and the ends are 0 and 14.
    alts = [image["alt"] for image in page.all("img") if "real, image #" in image["alt"]]
    numbers = [int(alt.rpartition("#")[2]) for alt in alts[:8]]
    assert numbers == [9, 8, 10, 7, 20, 21, 22, 23]
    manifest = read_samples(read_manifests(made.paths["tuned_shards"]), "cells").manifest
    path = manifest.loc[manifest["index"] == 23, "path"].item()
    worst = shown_pictures(page, "Worst: farthest from real, image #23")[0]
    np.testing.assert_array_equal(np.asarray(worst), next(read_pictures([path])))


def test_ways_of_sampling_are_shown_where_some_were_compared(made, tmp_path):
    words = "Ways of sampling. cells: nearest are 16 steps with guidance 1, 0.100"
    assert words in made.paths["page"].read_text()
    without = made.paths | {"sweep": [], "page": tmp_path / "without.html"}
    call_script("report", made.settings, without)
    assert "Ways of sampling" not in without["page"].read_text()


def test_class_images_are_shown_in_their_colours_or_left_out(made, page, tmp_path):
    shown = shown_pictures(page, "\u201ca microscopy image of cells\u201d")
    expected = read_stack(made.paths["class_images"][0])[:8]
    np.testing.assert_array_equal([np.asarray(one) for one in shown], expected)
    without = made.paths | {"class_images": [], "page": tmp_path / "without.html"}
    call_script("report", made.settings, without)
    text = read_page(without["page"]).text
    assert "Class images:" not in text and "class images of" not in text


def test_objects_are_drawn_with_their_medians(page):
    assert page.text.count("Medians of real and of synthetic objects: diameter") == 2
    alts = [image["alt"] for image in page.all("img")]
    assert alts.count("Objects in the images: their sizes, shapes and distances.") == 2


def test_concepts_without_objects_are_said(tmp_path):
    run = write_run(tmp_path / "demo")
    pd.read_csv(run.paths["objects"]).head(0).to_csv(run.paths["objects"], index=False)
    call_script("report", run.settings, run.paths)
    assert "No objects were found." in read_page(run.paths["page"]).text


def test_time_by_stage_is_that_of_the_files(page):
    for words in (
        "class images of \u201ca microscopy image of cells\u201d (12) 30 s cuda:0 0.0083",
        "fine-tuning 30 min 0 s cuda:0 0.5",
        "synthetic images (48) 3 min 0 s cuda:0 0.05",
        "untuned images (48) 3 min 0 s cuda:0 0.05",
        "together 36 min 30 s cuda:0 0.61",
    ):
        assert words in page.text


def test_times_that_were_not_recorded_are_said(tmp_path):
    run = write_run(tmp_path / "demo")
    shard_to_time_file(run.paths["tuned_shards"][0]).unlink()
    call_script("report", run.settings, run.paths)
    text = read_page(run.paths["page"]).text
    assert "synthetic images (24) not recorded untuned images (24) 1 min 30 s cuda:0" in text
    assert "together" not in text.partition("GPU-hours by stage")[2].partition("Methods")[0]


def test_the_level_of_the_intervals_is_the_one_used(page):
    assert page.text.count("its 90 % interval") == 2
    assert "95 %" not in page.text


def test_methods_speak_of_intervals_only_where_there_are_some(tmp_path, page):
    brackets = "intervals in brackets are jackknife intervals over fields (90 %)."
    assert brackets not in page.text
    assert "the images come from too few fields for intervals." in page.text
    run = write_run(tmp_path / "demo")
    metrics = read_frame(run.paths["metrics"])
    distance = metrics["metric"] == "kernel_distance"
    metrics.loc[distance, ["low", "high"]] = [0.01, 0.2]
    metrics.to_csv(run.paths["metrics"], index=False)
    call_script("report", run.settings, run.paths)
    assert brackets in read_page(run.paths["page"]).text


def test_settings_of_the_training_stand_once(page):
    assert page.text.count("learning_rate") == 1


def test_copy_stands_first_beside_its_place_in_register(made):
    copies = read_frame(made.paths["copies"])
    manifest = read_samples(read_manifests(made.paths["tuned_shards"]), "cells").manifest
    pairs = copies_to_pairs(copies, "cells", manifest, read_planes(made.paths["windows"]))
    assert [pair.verdict for pair in pairs] == ["copy", "new"]
    np.testing.assert_array_equal(pairs[0].synthetic, pairs[0].training)
    assert np.unique(pairs[0].difference()).tolist() == [128]
    assert pairs[0].similarity > pairs[1].similarity
    assert pairs[0].place == "cells-frame-0dcfb4cd, plane 1, row 0, column 64"


def test_the_difference_forgives_brightness_and_contrast_alone():
    training = np.arange(64, dtype=np.uint8).reshape(8, 8)
    synthetic = 2 * training + 40
    pair = Pair(0, synthetic, training, 1.0, "", "copy")
    assert np.unique(pair.difference()).tolist() == [128]
    synthetic = synthetic.copy()
    synthetic[3, 3] += 60
    changed = Pair(0, synthetic, training, 1.0, "", "copy").difference()
    assert changed.argmax() == 27 and changed[3, 3] > 128 + 50


def test_sheet_and_verdict(made):
    sheet = np.asarray(Image.open(made.paths["sheet"]))
    assert sheet.shape[1] >= 8 * 64 and sheet.shape[0] >= 2 * 7 * 64
    text = made.paths["verdict"].read_text()
    assert text.startswith(f"{TITLE}: run demo") and "[debris]" in text
    assert "! One field: differences cannot be told from chance." in text


def test_same_run_gives_the_same_page(made, tmp_path):
    again = tmp_path / "again.html"
    call_script("report", made.settings, made.paths | {"page": again})
    assert again.read_bytes() == made.paths["page"].read_bytes()


def test_run_without_held_out_tiles_still_gets_its_page(tmp_path):
    run = write_run(tmp_path / "demo")
    for kind in ("holdout_tiles", "roundtrips"):
        write_stack(run.paths[kind][0], np.zeros((0, 64, 64), np.uint8))
    table = pd.read_csv(run.paths["holdout_tables"][0], sep="\t")
    table.head(0).to_csv(run.paths["holdout_tables"][0], sep="\t", index=False)
    metrics = pd.read_csv(run.paths["metrics"])
    few = metrics["metric"] == "kernel_distance"
    flagged = metrics[few].assign(value=np.nan, flags="fewer than two images on a side")
    flagged.to_csv(run.paths["metrics"], index=False)
    call_script("report", run.settings, run.paths)
    text = read_page(run.paths["page"]).text
    assert "Variety recall not measured" in text and "Cannot say yet." in text
    assert "could not be measured" in text and "Fewer than two images on a side." in text


def test_images_of_the_class_get_a_column_where_they_were_drawn(run_on_disk, tmp_path):
    rows = pd.read_csv(run_on_disk.paths["metrics"])
    own = rows[(rows["metric"] == "kernel_distance") & (rows["set"] == "untuned")]
    with_class = pd.concat([rows, own.assign(set="class", value=0.625)])
    with_class.to_csv(tmp_path / "metrics.csv", index=False)
    paths = {"metrics": tmp_path / "metrics.csv", "page": tmp_path / "index.html"}
    call_script("report", run_on_disk.settings, run_on_disk.paths | paths)
    page = read_page(tmp_path / "index.html")
    cells = [tag for tag in page.all("td") if tag.get("data-label") == "class"]
    assert cells and "0.625" in page.text
    assert "Class: what the tuned model draws" in page.text


def test_what_is_said_of_a_row_follows_its_reference(run_on_disk, tmp_path):
    rows = pd.read_csv(run_on_disk.paths["metrics"])
    own = rows[(rows["metric"] == "kernel_distance") & (rows["set"] == "tuned")]
    added = [
        own.assign(metric="background_entanglement", set="class", reference="untuned"),
        own.assign(metric="clip_t", reference="prompt", n_reference=0),
    ]
    pd.concat([rows, *added]).to_csv(tmp_path / "metrics.csv", index=False)
    paths = {"metrics": tmp_path / "metrics.csv", "page": tmp_path / "index.html"}
    call_script("report", run_on_disk.settings, run_on_disk.paths | paths)
    page = read_page(tmp_path / "index.html")
    assert "Background entanglement, tuned less" not in page.text
    assert "CLIP-T" in page.text and " 0 held-out" not in page.text


def test_rows_of_a_second_extractor_stand_in_the_table_alone(run_on_disk, tmp_path):
    rows = pd.read_csv(run_on_disk.paths["metrics"])
    own = rows[rows["metric"] == "kernel_distance"]
    first = own["extractor"].iloc[0]
    both = pd.concat([rows, own.assign(extractor="dinov2-base", value=77.0)])
    both.to_csv(tmp_path / "metrics.csv", index=False)
    paths = {"metrics": tmp_path / "metrics.csv", "page": tmp_path / "index.html"}
    paths["verdict"] = tmp_path / "verdict.txt"
    call_script("report", run_on_disk.settings, run_on_disk.paths | paths)
    page = read_page(tmp_path / "index.html")
    assert first != "dinov2-base"
    assert "Kernel distance (DINOv2 ViT-B/14)" in page.text
    assert page.text.count("77") >= 1
    assert "77" not in (tmp_path / "verdict.txt").read_text()
    alone = {"page": tmp_path / "alone.html", "verdict": tmp_path / "alone.txt"}
    call_script("report", run_on_disk.settings, run_on_disk.paths | alone)
    assert paths["verdict"].read_text() == alone["verdict"].read_text()


def test_wrong_lists_are_refused_with_words(run_on_disk):
    twice = run_on_disk.paths | {"quality": run_on_disk.paths["quality"] * 2}
    words = r"--quality needs one path for each concept \(cells\), found 2"
    with pytest.raises(UserError, match=words):
        call_script("report", run_on_disk.settings, twice)


def test_shards_without_the_concept_are_refused(run_on_disk):
    with pytest.raises(UserError, match="no image of concept yeast among the 24 of the shards"):
        read_samples(read_manifests(run_on_disk.paths["tuned_shards"]), "yeast")


def test_an_untuned_base_that_draws_nothing_leaves_a_page(tmp_path):
    run = write_run(tmp_path / "demo")
    images = np.full((6, 64, 64), 9, np.uint8)
    blank = write_shard(
        tmp_path / "blank.zip", "cells", images, "base", dict.fromkeys(range(6), "blank")
    )
    rows = pd.read_csv(run.paths["metrics"])
    rows[(rows["set"] != "untuned") & (rows["reference"] != "untuned")].to_csv(
        run.paths["metrics"], index=False
    )
    call_script("report", run.settings, run.paths | {"untuned_shards": [blank]})
    page = read_page(run.paths["page"])
    assert "Without the untuned base" in page.text
    assert "Untuned base" in page.text


@pytest.mark.parametrize("concept", ["2024", "null", "1e5"])
def test_concepts_may_be_called_like_numbers_or_like_nothing(tmp_path, concept):
    run = write_run(tmp_path / "demo", (concept,))
    call_script("report", run.settings, run.paths)
    page = read_page(run.paths["page"])
    assert "Too few images to say" in page.text
    assert f"a microscopy image of zqx {concept}" in page.text
    assert "Copies of training images: 1 of 23" in page.text


def test_program_imports_no_torch(made):
    assert "pipeline_lib.reporting.run_views" in made.imported
    assert not {"torch", "diffusers", "transformers"} & made.imported


def test_the_page_of_a_model_from_scratch_says_so(run_on_disk, tmp_path):
    card = json.loads((run_on_disk.paths["model"] / TRAINED_CARD).read_text())
    told = {"method": "from_scratch", "space": "pixels", "steps": 9, "batch_size": 4, "seed": 0}
    card |= {"method": "from_scratch", "pixels": {"mean": 1.0, "scale": 1.0, "patch": 4}}
    card["settings"]["training"] = told
    model = tmp_path / "model"
    model.mkdir()
    (model / TRAINED_CARD).write_text(json.dumps(card))
    changed = {"model": model, "cameras": [], "page": tmp_path / "index.html"}
    changed |= {"sheet": tmp_path / "sheet.png", "verdict": tmp_path / "verdict.txt"}
    call_script("report", run_on_disk.settings, run_on_disk.paths | changed)
    text = read_page(changed["page"]).text
    assert "A diffusion model of pixels without prompts (Ho et al. 2020) was trained" in text
    assert "This model was trained from scratch" in text
    assert "The model draws pixels" in text and "sampling.camera_noise: none" not in text
    assert "fine-tuned by DreamBooth" not in text
    verdict = " ".join(changed["verdict"].read_text().split())
    assert "Training from scratch" in verdict and "Fine-tuning" not in verdict


def test_study_compares_runs(made, run_on_disk, tmp_path):
    paths = study_paths(tmp_path, [made, run_on_disk], tiles=[12, 12], seconds=[1800, 1800])
    for rate, model in zip((1e-5, 2e-5), paths["models"], strict=True):
        path = model / TRAINED_CARD
        card = json.loads(path.read_text())
        card["settings"]["training"]["learning_rate"] = rate
        path.write_text(json.dumps(card))
    settings = {"report": {"title": TITLE, "rows": 8}, "runs": ["first", "second"]}
    call_script("study", settings, paths)
    target = paths["page"]
    study = read_page(target)
    assert study.unbalanced == [] and TITLE in study.text
    assert [link["href"] for link in study.all("a")] == [
        "../first/index.html", "../first/index.html", "../second/index.html",
    ]  # fmt: skip
    table = study.text.partition("Click a heading")[2].partition("How to read")[0]
    assert "learning_rate" in table and "steps" not in table
    assert "Frechet distance (EfficientNet-Lite0)" in study.text
    assert "Concept cells: run first has the smallest kernel distance" in study.text
    sorts = [cell.get("data-sort") for cell in study.all("td")]
    assert sorts.count("0.02") == 3
    html = target.read_text()
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", html))

    assert len(study.all("img")) == 2  # neither images nor minutes differ


@pytest.mark.parametrize(
    ("tiles", "seconds", "against"),
    [
        ([5, 10], [60, 60], ["training tiles"]),
        ([5, 5], [60, 120], ["minutes of training (cuda:0)"]),
        ([5, 10], [60, 120], ["training tiles", "minutes of training (cuda:0)"]),
    ],
)
def test_study_draws_distance_against_what_differs(run_on_disk, tmp_path, tiles, seconds, against):
    paths = study_paths(tmp_path, [run_on_disk] * 2, tiles, seconds)
    call_script("study", {"report": {}, "runs": ["first", "second"]}, paths)
    alts = [image["alt"] for image in read_page(paths["page"]).all("img")]
    name = "Kernel distance (EfficientNet-Lite0) of concept cells"
    assert alts == [f"{name} by run.", *(f"{name} against {words}." for words in against)]


def test_study_tells_repeats_from_other_settings(run_on_disk, tmp_path):
    names = [f"{tiles}-{seed}" for tiles in (24, 240) for seed in (0, 1)]
    paths = study_paths(tmp_path, [run_on_disk] * 4, [24, 24, 240, 240], [60] * 4)
    for place, (model, distance) in enumerate(zip(paths["models"], (9, 9.1, 1, 1.1), strict=True)):
        card = json.loads((model / TRAINED_CARD).read_text())
        card["settings"]["training"]["seed"] = place % 2
        (model / TRAINED_CARD).write_text(json.dumps(card))
        metrics = pd.read_csv(paths["metrics"][place])
        tuned = (metrics["metric"] == "kernel_distance") & (metrics["set"] == "tuned")
        metrics.loc[tuned, "value"] = distance
        paths["metrics"][place] = tmp_path / f"metrics-{place}.csv"
        metrics.to_csv(paths["metrics"][place], index=False)
    call_script("study", {"report": {}, "runs": names}, paths)
    study = read_page(paths["page"])
    assert "of 2 settings, repeated with other seeds, 240 training tiles has the smallest mean" in (
        study.text
    )
    assert "Told apart from it: 24 training tiles." in study.text
    assert "All trainings took 4 minutes, 0.1 hours of a GPU." in study.text
    alts = [image["alt"] for image in study.all("img")]
    assert any(alt.startswith("Mean kernel distance") for alt in alts)


def from_scratch(paths, places, space="pixels"):
    """Make some of a study's models ones from scratch."""
    for place in places:
        path = paths["models"][place] / TRAINED_CARD
        card = json.loads(path.read_text())
        told = {"method": "from_scratch", "space": space, "steps": 9, "seed": 0}
        card["settings"]["training"] = told
        path.write_text(json.dumps(card))


def test_study_sets_methods_side_by_side(run_on_disk, tmp_path):
    paths = study_paths(tmp_path, [run_on_disk] * 4, [5, 10, 5, 10], [60, 60, 120, 120])
    from_scratch(paths, [2, 3])
    names = ["tuned-5", "tuned-10", "pixels-5", "pixels-10"]
    call_script("study", {"report": {}, "runs": names}, paths)
    study = read_page(paths["page"])
    assert "Concept cells, 5 training tiles: mean kernel distance" in study.text
    told = study.text.partition("Concept cells, 5 training tiles")[2]
    assert re.search(r"DreamBooth [^;]*1\.0 minutes[^;]*; from scratch, pixels [^;]*2\.0 min", told)
    alts = [image["alt"] for image in study.all("img")]
    assert (
        sum(alt.startswith("Quality, copies and diversity of concept cells") for alt in alts) == 1
    )
    table = study.text.partition("Click a heading")[2].partition("How to read")[0]
    assert table.count("from scratch, pixels") == 2 and "method" in table
    assert "learning_rate" not in table  # they differ in the method, which has others
    colours = {circle["fill"] for circle in study.all("circle")}
    assert colours == {COLOURS["tuned"], COLOURS["pixels"]}


def test_study_of_one_method_has_no_chart_of_methods(run_on_disk, tmp_path):
    paths = study_paths(tmp_path, [run_on_disk] * 2, [5, 10], [60, 60])
    from_scratch(paths, [0, 1])
    call_script("study", {"report": {}, "runs": ["one", "two"]}, paths)
    study = read_page(paths["page"])
    assert not [one for one in study.all("img") if one["alt"].startswith("Quality")]
    assert study.all("circle") == []


def test_study_counts_fields_where_they_differ(run_on_disk, tmp_path):
    paths = study_paths(tmp_path, [run_on_disk] * 2, [5, 10], [60, 60])
    metrics = pd.read_csv(paths["metrics"][1])
    metrics.assign(fields=4).to_csv(tmp_path / "more.csv", index=False)
    paths["metrics"][1] = tmp_path / "more.csv"
    call_script("study", {"report": {}, "runs": ["first", "second"]}, paths)
    alts = [image["alt"] for image in read_page(paths["page"]).all("img")]
    assert len(alts) == 2 and "against training images (independent fields" in alts[1]


@pytest.mark.parametrize(("grey", "chosen"), [(0, True), (1, False)])
def test_study_names_a_run_among_those_with_equal_held_out_pixels(
    run_on_disk, tmp_path, grey, chosen
):
    """Two datasets of more and fewer fields to train on, whose files say so."""
    paths = study_paths(tmp_path, [run_on_disk] * 2, [5, 10], [60, 60])
    card = json.loads((paths["models"][1] / TRAINED_CARD).read_text())
    card["concepts"]["cells"]["dataset"] = "more"
    (paths["models"][1] / TRAINED_CARD).write_text(json.dumps(card))
    tiles = read_stack(paths["holdout_tiles"][0])
    tiles[-1, -1, -1] ^= grey
    (tmp_path / "more").mkdir()
    write_stack(tmp_path / "more/holdout.tif", tiles, {"fields": 10})
    names = {"report": {}, "runs": ["fewer", "more"]}
    with pytest.raises(UserError, match="--holdout-tiles lacks those of the datasets more, found"):
        call_script("study", names, paths)
    paths["holdout_tiles"] = [*paths["holdout_tiles"], tmp_path / "more/holdout.tif"]
    call_script("study", names, paths)
    text = read_page(paths["page"]).text
    assert ("Concept cells: run fewer has the smallest" in text) == chosen
    assert ("the runs have other held-out tiles" in text) != chosen


@pytest.mark.parametrize("kind", ["metrics", "histories", "models"])
def test_study_with_missing_tables_is_refused(run_on_disk, tmp_path, kind):
    settings = {"report": {}, "runs": ["first", "second"]}
    paths = study_paths(tmp_path, [run_on_disk] * 2, [12, 12], [60, 60])
    del paths[kind][0]
    words = f"--{kind.replace('_', '-')} needs one path for each of 2 runs, found 1"
    with pytest.raises(UserError, match=words):
        call_script("study", settings, paths)


def test_tables_of_the_evaluation_are_read(run_on_disk, tmp_path):
    metrics, copies = measure(run_on_disk)
    metrics.to_csv(tmp_path / "metrics.csv", index=False)
    copies.table.to_csv(tmp_path / "copies.tsv", sep="\t", index=False)
    copies.similarities.to_csv(tmp_path / "similarities.csv", index=False)
    write_planes(tmp_path / "copies.tif", copies.windows)
    names = ("metrics.csv", "copies.tsv", "similarities.csv", "copies.tif", "index.html")
    kinds = ("metrics", "copies", "similarities", "windows", "page")
    paths = {kind: tmp_path / name for kind, name in zip(kinds, names, strict=True)}
    call_script("report", run_on_disk.settings, run_on_disk.paths | paths)
    page = read_page(paths["page"])
    value = metrics.query("metric == 'kernel_distance' and set == 'tuned'")["value"].item()
    assert f"held-out real tiles: {number(value)}; of the untuned base" in page.text
    assert "Sharpness ratio" in page.text and "rank-deficient" in page.text.lower()
    assert "#5: 1 (copy). cells-frame-0dcfb4cd, plane 3" in page.text
    assert "One field: differences cannot be told from chance." in page.text


def measure(run):
    """Evaluate the simulated run with the mean spectrum in the place of a network's features."""

    def described(images):
        features = power_to_radial(images_to_power(images.images))
        return Described(images, features, features[:, :8])

    paths = {name: path[0] for name, path in run.paths.items() if isinstance(path, list)}
    manifests = {name: read_manifests(run.paths[f"{name}_shards"]) for name in ("tuned", "untuned")}
    train = read_tiles(paths["train_tiles"], paths["train_tables"])
    regions = [
        SplitRow(source, number, 0, 64, 0, 64, "well-a", "train", "")
        for number, source in enumerate(train.sources)
    ]
    sets = ConceptSets(
        train=described(train),
        holdout=described(read_tiles(paths["holdout_tiles"], paths["holdout_tables"])),
        roundtrip=described(read_tiles(paths["roundtrips"], paths["holdout_tables"])),
        tuned=described(rows_to_images(manifests["tuned"])),
        untuned=described(rows_to_images(manifests["untuned"])),
        regions=MappedRegions(tuple(train.images), tuple(regions)),
        decoded=ndimage.gaussian_filter(train.images, (0, 0.8, 0.8)),
        decoded_numbers=np.arange(len(train)),
        pixel_size_um=0.619,
        extractor=ExtractorFacts("spectrum", "plug-in"),
    )
    evaluated = evaluate_concept([sets], "brightfield", EvaluationSettings())
    rows, found = evaluated.rows, evaluated.copies
    keys = manifests["tuned"][["name", "concept", "prompt_name", "index", "key"]]
    table = keys.merge(found.table, on="name").drop(columns="name")
    similarities = found.similarities.assign(concept="cells")
    return rows_to_table(rows, "cells"), replace(found, table=table, similarities=similarities)
