from __future__ import annotations

from tests.study.folders import RUNS, Folder


def test_columns_of_runs_overrule_training(folder: Folder) -> None:
    folder.config["training"] = {"steps": 5, "batch_size": 3}
    folder.runs = RUNS + "first\ttoy\tround-64\tclass\t\t\t9\n"
    training = folder.load().runs["first"].training
    assert (training.steps, training.batch_size) == (9, 3)


def test_prior_weight_zero_uses_no_prior(folder: Folder) -> None:
    folder.runs = RUNS + "first\ttoy\tround-64\t\t\t0\n"
    assert folder.load().runs["first"].priors == (None,)


def test_one_prior_serves_all_datasets(folder: Folder) -> None:
    folder.runs = RUNS + "first\ttoy\tround-64,long-64\tclass\n"
    run = folder.load().runs["first"]
    assert run.priors == ("class", "class")
    assert [one.identifier for one in run.concepts] == ["auto", "auto"]
