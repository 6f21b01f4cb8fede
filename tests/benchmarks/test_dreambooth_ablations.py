"""The ablations plan, change one part each, and their table says what was measured."""

import dreambooth_ablations
import pytest
import yaml
from dreambooth_ablations import ablations, rows_to_table, sheet_of_runs, write_configuration

from pipeline_lib.study.loading import load_study

ROOT = dreambooth_ablations.ROOT


@pytest.fixture
def study(tmp_path):
    path = write_configuration(tmp_path, ablations(600, 1800), 600)
    return load_study(yaml.safe_load(path.read_text()), ROOT, ROOT)


def test_every_run_differs_from_the_first_by_what_it_is_called_after(study):
    first = study.runs["all"]
    changed = {
        name: {key for key, value in run.training if value != getattr(first.training, key)}
        for name, run in study.runs.items()
    }
    assert changed == {
        "all": set(),
        "no-prior": {"prior_weight"},
        "noun-none": set(),
        "noun-wrong": set(),
        "images-3": set(),
        "images-1": set(),
        "text-frozen": {"text_encoder_learning_rate"},
        "long": {"steps"},
        "long-no-prior": {"steps", "prior_weight"},
    }
    nouns = {name: run.concepts[0].noun for name, run in study.runs.items()}
    assert len({nouns["all"], nouns["noun-none"], nouns["noun-wrong"]}) == 3
    assert nouns["noun-wrong"] in study.runs["noun-wrong"].concepts[0].class_prompt


def test_all_runs_are_judged_by_the_same_held_out_images(study):
    held_out = {
        tuple((one.source, one.region) for one in regions if one.role == "holdout")
        for regions in study.regions.values()
    }
    assert len(held_out) == 1


def test_only_runs_with_a_prior_loss_name_class_images():
    sheet = sheet_of_runs(ablations(600, 1800), 600)
    assert ((sheet.prior_weight > 0) == (sheet.priors != "")).all()


def test_the_table_leaves_empty_what_was_not_measured():
    lines = rows_to_table([{"what": "all", "distance": 0.25, "class drift": 1.0}])
    assert len(lines) == 3
    cells = [cell.strip() for cell in lines[-1].strip("|").split("|")]
    assert cells == ["all", "0.250", "", "", "", "", "", "1.000"]
