"""The examples and sets of prompts that come along can be planned, from any folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from tests.workflow.workspace import ROOT, environment, job_counts

EXAMPLES = ROOT / "config/examples"
DIFFUSION = EXAMPLES / "stable-diffusion"
CONTEXTS = ROOT / "config/prompts/contexts.yaml"


def plan(
    folder: Path, *arguments: str, snakefile: Path = ROOT / "Snakefile"
) -> subprocess.CompletedProcess[str]:
    """Plan with the project's workflow in a folder that is not its own."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    return subprocess.run(
        [*command, "--directory", str(folder), "--dry-run", "--cores", "1", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def planned(folder: Path, *arguments: str, snakefile: Path = ROOT / "Snakefile") -> dict[str, int]:
    """Return the number of jobs by rule; planning must succeed."""
    done = plan(folder, *arguments, snakefile=snakefile)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return job_counts(said)


def write_fields(folder: Path, names: list[str], size: int) -> Path:
    """Write noise under some names."""
    random = np.random.default_rng(0)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        field = random.integers(60_000, 65_000, (size, size), dtype=np.uint16)
        tifffile.imwrite(path, field, metadata={"axes": "YX"})
    return folder


def files_to_contents(folder: Path) -> dict[Path, bytes]:
    """Return what the files of a folder hold, those that Python keeps for itself left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path: path.read_bytes() for path in files}


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Return a folder of fields as the example for Stable Diffusion wants them."""
    names = [f"{density}/{well}.tif" for density in ("sparse", "dense") for well in "ABCDEF"]
    return write_fields(tmp_path / "cells", names, 1100)


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("*/config.yaml")), ids=lambda p: p.parent.name
)
def test_an_example_names_nothing_outside_the_project(path: Path) -> None:
    said = yaml.safe_load(path.read_text())
    for key in ("data_folder", "samples", "runs"):
        place = Path(said[key])
        assert not place.is_absolute() and ".." not in place.parts
    assert (ROOT / said["samples"]).is_file() and (ROOT / said["runs"]).is_file()


def test_the_demo_is_planned_from_any_folder(tmp_path: Path) -> None:
    found = planned(tmp_path, "--configfile", str(EXAMPLES / "demo/config.yaml"))
    assert found["finetune"] == found["report"] == 1


def test_a_workflow_that_is_used_from_elsewhere_stays_as_it_is(tmp_path: Path) -> None:
    workflow = tmp_path / "workflow"
    for name in ("rules", "scripts", "pipeline_lib", "envs", "config", "resources"):
        shutil.copytree(ROOT / name, workflow / name)
    shutil.copy(ROOT / "Snakefile", workflow)
    before = files_to_contents(workflow)
    (tmp_path / "elsewhere").mkdir()
    configfile = str(workflow / "config/examples/demo/config.yaml")
    snakefile = workflow / "Snakefile"
    done = plan(tmp_path / "elsewhere", "--configfile", configfile, snakefile=snakefile)
    assert done.returncode == 0, done.stdout + done.stderr
    assert files_to_contents(workflow) == before


@pytest.mark.parametrize("name", ["Snakefile", "workflow/Snakefile"])
def test_the_catalogue_s_test_plans_everything(tmp_path: Path, name: str) -> None:
    shutil.copytree(ROOT / ".test/config", tmp_path / "config")
    found = planned(tmp_path, snakefile=ROOT / name)
    assert found["finetune"] == found["release"] == found["report"] == found["study"] == 1


def test_the_catalogue_finds_what_it_shows() -> None:
    shown = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert shown["software-stack-deployment"]["conda"] is True and shown["report"] is True
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (ROOT / "config/README.md").is_file()


def test_an_example_without_its_images_says_what_to_give(tmp_path: Path) -> None:
    refused = plan(tmp_path, "--configfile", str(EXAMPLES / "ecoli/config.yaml"))
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "there is no folder data/ecoli" in said and "--config data_folder=FOLDER" in said


@pytest.mark.parametrize(
    ("names", "trainings"),
    [
        (["ecoli/config"], 1),
        (["ecoli/config", "ecoli/grid"], 8),
        (["image-count/config"], 9),
        (["image-count/config", "seed-study/small"], 4),
        (["leave-one-out/config"], 10),
        (["from-scratch/config"], 2),
    ],
)
def test_ecoli_takes_its_folder_by_config(tmp_path: Path, names: list[str], trainings: int) -> None:
    fields = write_fields(tmp_path / "ds1", [f"{k:05d}.tif" for k in range(1, 11)], 512)
    files = [str(EXAMPLES / f"{name}.yaml") for name in names]
    found = planned(tmp_path, "--configfile", *files, "--config", f"data_folder={fields}")
    assert found["ingest"] == 10 and found["finetune"] == trainings


def test_detectors_of_ecoli_and_of_the_demo_are_planned(tmp_path: Path) -> None:
    names = [f"{k:05d}.tif" for k in range(1, 11)]
    fields = write_fields(tmp_path / "images", names, 512)
    write_fields(tmp_path / "masks", names, 512)
    for example, data in (("ecoli", ["--config", f"data_folder={fields}"]), ("demo", [])):
        beside = {"ecoli": "ecoli", "demo": "monolayer"}[example]
        files = [EXAMPLES / example / "config.yaml", EXAMPLES / f"downstream/{beside}.yaml"]
        found = planned(tmp_path, "downstream", "--configfile", *map(str, files), *data)
        assert found["cut_masks"] == found["downstream"] == 1, found


def test_the_embedded_upscaler_suits_the_example(tmp_path: Path) -> None:
    fields = write_fields(tmp_path / "ds1", [f"{k:05d}.tif" for k in range(1, 11)], 512)
    files = [EXAMPLES / "ecoli/config.yaml", EXAMPLES / "superresolution/ecoli.yaml"]
    told = ["--configfile", *map(str, files), "--config", f"data_folder={fields}"]
    found = planned(tmp_path, "superresolution", *told)
    assert found["tune_upscaler"] == 2 and found["compare_upscalers"] == found["upsample"] == 1
    assert found["finetune"] == 1 and "report" not in found


def test_stable_diffusion_is_planned_without_a_download(tmp_path: Path, cells: Path) -> None:
    configfile = str(DIFFUSION / "config.yaml")
    found = planned(tmp_path, "--configfile", configfile, "--config", f"data_folder={cells}")
    assert found["fetch"] == found["finetune"] == 1
    assert found["prior"] == 4 and found["ingest"] == 12


def test_every_row_for_stable_diffusion_can_be_planned(tmp_path: Path, cells: Path) -> None:
    own = tmp_path / "config/examples/stable-diffusion"
    shutil.copytree(DIFFUSION, own)
    own_runs = own / "runs.tsv"
    own_runs.write_text(own_runs.read_text().replace("\n#sd", "\nsd"))
    configfile = str(own / "config.yaml")
    found = planned(tmp_path, "--configfile", configfile, "--config", f"data_folder={cells}")
    assert found["finetune"] == 4 and found["fetch"] == 3


def test_contexts_are_added_to_the_prompts_of_a_configuration(tmp_path: Path) -> None:
    demo = str(EXAMPLES / "demo/config.yaml")
    contexts = yaml.safe_load(CONTEXTS.read_text())["sampling"]["prompts"]
    alone = planned(tmp_path, "samples_only", "--configfile", demo)
    merged = planned(tmp_path, "samples_only", "--configfile", demo, str(CONTEXTS))
    assert merged.pop("sample") == alone.pop("sample") + len(contexts) - 1  # `subject` is there
    assert merged == alone


def test_words_are_compared_for_every_model_of_the_example(tmp_path: Path) -> None:
    example = str(EXAMPLES / "contexts/config.yaml")
    found = planned(tmp_path, "contexts", "--configfile", example, str(CONTEXTS))
    assert found["finetune"] == 3 and found["prior"] == 2
    assert found["context_images"] == found["context_values"] == 3 + 2  # a base for each noun


@pytest.fixture(scope="module")
def cho(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures as the published study has them, a folder a concept."""
    folder = tmp_path_factory.mktemp("cho")
    random = np.random.default_rng(0)
    for concept in ("single_cell", "adherent_cell", "well_edge", "debris"):
        (folder / concept).mkdir()
        for number in range(83):
            picture = random.integers(0, 255, (512, 512), dtype=np.uint8)
            Image.fromarray(picture).save(folder / concept / f"{number:03}.png", compress_level=1)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("ours", [False, True])
def test_the_published_study_is_planned_whole(tmp_path: Path, cho: Path, ours: bool) -> None:
    study = EXAMPLES / "seed-study"
    files = [str(study / "config.yaml"), *([str(study / "ours.yaml")] if ours else [])]
    found = planned(tmp_path, "--configfile", *files, "--config", f"data_folder={cho}")
    assert found["finetune"] == found["report"] == 24
    assert found["fetch"] == 3 and found["prior"] == 3 * 4 * 5
    # Tokens are stated, or measured for each base and noun.
    assert found.get("identifier", 0) == (12 if ours else 0)


def test_numbers_of_images_are_repeated_with_one_preparation(tmp_path: Path) -> None:
    fields = write_fields(tmp_path / "ds1", [f"{number:05d}.tif" for number in range(1, 11)], 512)
    configfile = str(EXAMPLES / "image-count/config.yaml")
    found = planned(tmp_path, "--configfile", configfile, "--config", f"data_folder={fields}")
    assert found["finetune"] == 9 and found["tiles"] == found["latents"] == 3
    assert found["ingest"] == 10 and found["prior"] == 1
