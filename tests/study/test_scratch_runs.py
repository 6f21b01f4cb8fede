"""Rows of runs.tsv that are trained from scratch: what they may have, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.files import write_json
from pipeline_lib.prompts import study_to_prompts
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.study import stages
from pipeline_lib.study.plans import plan_stage
from pipeline_lib.study.scratch_runs import refuse_unfit_latents
from pipeline_lib.study.sweeps import run_ways
from tests.study.folders import Folder

HEAD = "run\tbase\tdatasets\tmethod\t"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def runs(columns: str, *rows: str) -> str:
    return f"{HEAD}{columns}\n" + "".join(f"{row}\n" for row in rows)


SCRATCH = "scratch\ttoy\tround-64\tfrom_scratch\t"


def test_a_run_has_its_section_and_its_columns(folder: Folder) -> None:
    folder.config["from_scratch"] = {"steps": 5, "batch_size": 3, "channels": [16, 32]}
    folder.runs = runs("steps\tchannels", f"{SCRATCH}9\t32, 64")
    run = folder.load().runs["scratch"]
    assert (run.training.steps, run.training.batch_size) == (9, 3)
    assert run.training.channels == (32, 64)
    assert run.from_scratch and run.in_pixels
    assert [one.identifier for one in run.concepts] == [""]
    assert run.priors == (None,)


def test_settings_of_dreambooth_do_not_reach_it(folder: Folder) -> None:
    folder.runs = runs("seed", f"{SCRATCH}0")
    before = folder.load().runs["scratch"]
    folder.config["training"] = {"steps": 7, "prior_weight": 0.5, "learning_rate": 1.0}
    assert folder.load().runs["scratch"] == before


def test_what_dreambooth_is_told_knows_nothing_of_it(folder: Folder) -> None:
    before = stages.finetune_stage(folder.load(), "first").model_dump_json()
    folder.config["from_scratch"] = {"steps": 5}
    folder.runs = folder.runs.replace("\tsteps\n", "\tsteps\tmethod\tspace\n").replace(
        "first\ttoy\tround-64\tclass\n",
        "first\ttoy\tround-64\tclass\nscratch\ttoy\tround-64\t\t\t\t\tfrom_scratch\tpixels\n",
    )
    study = folder.load()
    assert set(study.runs) == {"first", "scratch"}
    assert stages.finetune_stage(study, "first").model_dump_json() == before
    assert "from_scratch" not in before
    assert not {"space", "patch", "channels"} & set(TrainingSettings.model_fields)


@pytest.mark.parametrize(
    ("columns", "cells", "words"),
    [
        ("priors", "class", "priors: found `class`, which a model from scratch has none of"),
        ("identifiers", "zx", "identifiers: found `zx`, which a model from scratch"),
        ("lora_rank", "4", "lora_rank: `4` means nothing to a run of the method `from_scratch`"),
        ("prior_weight", "0", "prior_weight: `0` means nothing"),
        ("text_encoder_learning_rate", "1e-5", "means nothing to a run"),
        ("preview_guidance", "2", "preview_guidance: `2` means nothing"),
        ("channels", "20,40", "needs multiples of 16, found 20, 40"),
        ("channels", "wide", "channels"),
        ("accumulation", "99", "accumulation 99 is more than batch_size"),
        ("attention", "4", "attention 4 is more than the 3 resolutions"),
        ("patch", "3", "tiles of 64 pixels cannot be trained on: .* multiples of 12"),
        ("space", "words", "space"),
    ],
)
def test_nonsense_is_refused_in_words(folder: Folder, columns: str, cells: str, words: str) -> None:
    folder.runs = runs(columns, SCRATCH + cells)
    with pytest.raises(UserError, match=words) as refused:
        folder.load()
    assert "row 2" in str(refused.value)


def test_latents_are_halved_and_not_blocks_of_pixels(folder: Folder) -> None:
    folder.runs = runs("space\tpatch\tchannels", f"{SCRATCH}latents\t3\t16,16,16,16")
    assert folder.load().runs["scratch"].training.space == "latents"


@pytest.mark.parametrize(("halvings", "needed"), [(2, 4 * 16), (3, 8 * 16), (4, 16 * 16)])
def test_a_latent_s_side_is_the_base_model_s_own(
    folder: Folder, tmp_path: Path, halvings: int, needed: int
) -> None:
    folder.runs = runs("space\tchannels", f"{SCRATCH}latents\t16,16,16,16,16")
    study = folder.load()
    refuse_unfit_latents(study, lambda base: tmp_path / "not/fetched")
    fetched = tmp_path / "fetched"
    write_json(fetched / "vae/config.json", {"block_out_channels": [8] * (halvings + 1)})
    if 64 % needed == 0:
        refuse_unfit_latents(study, lambda base: fetched)
        return
    words = rf"run `scratch`: .* latents of {2**halvings} pixels need multiples of {needed};"
    with pytest.raises(UserError, match=words) as refused:
        refuse_unfit_latents(study, lambda base: fetched)
    assert "patch" not in str(refused.value)


def test_its_keys_are_refused_in_rows_of_dreambooth(folder: Folder) -> None:
    folder.runs = runs("patch\tprior_weight", "first\ttoy\tround-64\t\t2\t0")
    with pytest.raises(UserError, match="patch: `2` means nothing to a run of the method `full`"):
        folder.load()


def test_the_method_belongs_to_rows(folder: Folder) -> None:
    folder.config["training"] = {"method": "from_scratch"}
    with pytest.raises(UserError, match="in the column `method` of runs"):
        folder.load()


def test_the_best_is_judged(folder: Folder) -> None:
    folder.config["from_scratch"] = {"keep": "best", "judge_by": None}
    with pytest.raises(UserError, match="name an extractor there"):
        folder.load()


def test_the_same_model_twice_is_refused(folder: Folder) -> None:
    folder.runs = runs("seed", f"{SCRATCH}1", SCRATCH.replace("scratch\t", "again\t", 1) + "1")
    with pytest.raises(UserError, match="`again` is `scratch` again"):
        folder.load()


@pytest.fixture
def mixed(folder: Folder) -> Folder:
    folder.config["sampling"] = {
        "sampler": {"guidance": 4, "guidance_interval": [0.3, 5], "negative_prompt": "blur"},
        "prompts": {"subject": {"count": 10}, "dense": {"template": "dense {subject}", "count": 2}},
    }
    folder.config["evaluation"] = {"class_prompt_images": 3}
    folder.runs = (
        f"{HEAD}space\tpriors\n"
        "tuned\ttoy\tround-64\t\t\tclass\n"
        "pixels\ttoy\tround-64\tfrom_scratch\tpixels\n"
        "latents\ttoy\tround-64\tfrom_scratch\tlatents\n"
    )
    return folder


def test_only_what_is_compared_is_drawn_and_the_base_stays(mixed: Folder) -> None:
    drawn = [(model, folder) for model, folder in mixed.load().image_sets]
    assert {folder for model, folder in drawn if model == "pixels"} == {"round-64-subject"}
    assert len([one for one in drawn if one[0] == "tuned"]) == 3
    assert ("base-toy", "round-64-subject") in drawn


def test_it_is_drawn_without_guidance_by_the_others_keys(mixed: Folder) -> None:
    study = mixed.load()
    told = {
        model: stages.sample_stage(study, model, "round-64-subject", 0)
        for model in ("tuned", "pixels", "latents", "base-toy")
    }
    assert told["tuned"].sampler.guidance == told["base-toy"].sampler.guidance == 4
    for model in ("pixels", "latents"):
        sampler = told[model].sampler
        assert (sampler.guidance, sampler.guidance_interval) == (1, None)
        assert sampler.negative_prompt == ""
        assert (sampler.seed, told[model].prompt_name) == (
            told["tuned"].sampler.seed,
            told["tuned"].prompt_name,
        )


def test_pixels_lose_no_noise_that_would_be_given_back(mixed: Folder) -> None:
    study = mixed.load()
    given = {
        model: stages.sample_stage(study, model, "round-64-subject", 0).camera_noise
        for model in ("tuned", "pixels", "latents")
    }
    assert given == {"tuned": "measured", "pixels": "none", "latents": "measured"}


def test_the_base_is_given_nothing_to_read_for_it(mixed: Folder) -> None:
    with_both = study_to_prompts(mixed.load(), "toy")
    mixed.runs = "".join(mixed.runs.splitlines(keepends=True)[:2])
    assert study_to_prompts(mixed.load(), "toy") == with_both


def test_ways_of_sampling_have_no_guidance_to_compare(mixed: Folder) -> None:
    mixed.config["sampling"]["sampler"] = {"guidance": 4}
    mixed.config["sweep"] = {"guidance": [1, 2]}
    study = mixed.load()
    assert len(run_ways(study, "tuned")) == 2
    assert run_ways(study, "pixels") == {}
    mixed.config["sweep"] = {"guidance": [1, 2], "steps": [5, 10]}
    assert list(run_ways(mixed.load(), "pixels")) == ["steps-5-guidance-1", "steps-10-guidance-1"]


def test_a_plan_knows_what_draws(mixed: Folder) -> None:
    plan = plan_stage(mixed.load(), Path, Path, [])
    assert [one.training.method for one in plan.trainings] == ["full", *["from_scratch"] * 2]
    drawn = {one.what: one for one in plan.drawings}
    assert drawn["pixels round-64-subject"].scratch.run == "pixels"
    assert drawn["pixels round-64-subject"].sampler.guidance == 1
    assert drawn["tuned round-64-subject"].scratch is None
    assert type(plan).model_validate_json(plan.model_dump_json()) == plan
