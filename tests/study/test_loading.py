from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.study.loading import load_study
from tests.study.folders import LONG, ROUND, RUN, RUNS, SAMPLES, Folder


def set_key(*keys: str, value: Any) -> Callable[[Folder], None]:
    """Return a change of one key of the configuration."""

    def change(folder: Folder) -> None:
        table = folder.config
        for key in keys[:-1]:
            table = table.setdefault(key, {})
        table[keys[-1]] = value

    return change


def set_runs(rows: str) -> Callable[[Folder], None]:
    return lambda folder: setattr(folder, "runs", RUNS + rows)


def set_samples(rows: str) -> Callable[[Folder], None]:
    return lambda folder: setattr(folder, "samples", SAMPLES + rows)


def set_bases(bases: Any) -> Callable[[Folder], None]:
    return lambda folder: setattr(folder, "bases", bases)


WRONG = {
    "misspelt key": (
        set_key("trainig", value={}),
        r"configuration: trainig: unknown key; did you mean `training`\?",
    ),
    "misspelt nested key": (
        set_key("training", "learning_rte", value=1),
        r"training\.learning_rte: unknown key; did you mean `learning_rate`\?, found 1",
    ),
    "project of 300 letters": (
        set_key("project", value="a" * 300),
        r"project: .*at most 100 characters",
    ),
    "spacing that the sampler does not take": (
        set_key("sampling", "sampler", value={"scheduler": "ddim", "spacing": "log_snr"}),
        r"sampling\.sampler: .*spacing `log_snr` needs the scheduler `dpm\+\+`.*`ddim`",
    ),
    "project with a slash": (set_key("project", value="a/b"), r"project: .*found 'a/b'"),
    "steps of zero": (set_key("training", "steps", value=0), r"training\.steps: .*found 0"),
    "steps of true": (
        set_key("training", "steps", value=True),
        r"training\.steps: found true, which is neither number nor text",
    ),
    "channel of true": (
        set_key("concepts", "round", "reading", value={"channel": True}),
        r"reading\.channel: found true",
    ),
    "infinite rate": (
        set_key("training", "learning_rate", value=float("inf")),
        r"training\.learning_rate: .*finite number",
    ),
    "shares above one": (
        set_key("datasets", "round-64", "split", value={"holdout": 0.7, "validation": 0.6}),
        r"split: validation 0\.6 and holdout 0\.7 leave nothing to train on",
    ),
    "misspelt key of a dataset": (
        set_key("datasets", "round-64", "tiles", "strid", value=32),
        r"datasets\.round-64\.tiles\.strid: unknown key; did you mean `stride`\?, found 32",
    ),
    "key like no other": (
        set_key("training", "zzz", value=1),
        r"training\.zzz: unknown key, found",
    ),
    "rate in words": (
        set_key("training", "learning_rate", value="high"),
        r"training\.learning_rate: .*found 'high'",
    ),
    "tile of 100": (
        set_key("datasets", "round-64", "tiles", "size", value=100),
        r"datasets\.round-64\.tiles\.size: .*multiple of 8, found 100",
    ),
    "unknown modality": (
        set_key("concepts", "round", "modality", value="darkfield"),
        r"concepts\.round\.modality: .*found 'darkfield'",
    ),
    "unknown scheduler": (
        set_key("sampling", "sampler", value={"scheduler": "euler"}),
        r"sampling\.sampler\.scheduler: .*dpm\+\+.*found 'euler'",
    ),
    "prompt without subject": (
        set_key("training_prompt", value="an image"),
        r"training_prompt: .*must name \{subject\}",
    ),
    "prompt with unknown field": (
        set_key("sampling", "prompts", value={"x": {"template": "{noun} {subject}"}}),
        r"sampling\.prompts\.x\.template: .*may name only",
    ),
    "percentiles turned round": (
        set_key("datasets", "round-64", "intensity", value={"low_percentile": 99.95}),
        r"datasets\.round-64\.intensity: low_percentile must lie below",
    ),
    "fixed intensity without values": (
        set_key("datasets", "round-64", "intensity", value={"method": "fixed"}),
        r"intensity: method `fixed` needs low and high",
    ),
    "dataset of no concept": (
        set_key("datasets", "round-64", "concept", value="rond"),
        r"datasets\.round-64\.concept: no concept is called `rond`.*did you mean `round`",
    ),
    "compared prompt missing": (
        set_key("evaluation", value={"prompt": "other"}),
        r"evaluation\.prompt: no prompt of `sampling\.prompts` is called `other`",
    ),
    "missing data folder": (
        set_key("data_folder", value="dta"),
        r"data_folder: .*no folder .*dta; name the one .* `--config data_folder=FOLDER`",
    ),
    "missing package": (
        set_key("data_folder", value="package:no_such_package/x"),
        r"data_folder: the Python package `no_such_package` is not installed",
    ),
    "missing sheet": (set_key("samples", value="none.tsv"), r"no file .*none\.tsv"),
    "unknown extractor": (
        set_key("evaluation", value={"extractors": ["efficientnet-lite1"]}),
        r"evaluation\.extractors: no extractor is called `efficientnet-lite1` .* did you mean",
    ),
    "extractor named twice": (
        set_key("evaluation", value={"extractors": ["efficientnet-lite0"] * 2}),
        r"evaluation\.extractors: each extractor is named once",
    ),
    "no extractor": (set_key("evaluation", value={"extractors": []}), r"evaluation\.extractors"),
    "prompt in the place of class images": (
        lambda folder: folder.config.update(
            sampling={"prompts": {"subject": {}, "class": {}}},
            evaluation={"class_prompt_images": 5},
        ),
        r"sampling\.prompts\.class: .*rename the prompt",
    ),
    "missing registry": (set_key("base_models", value="none.yaml"), r"no file .*none\.yaml"),
    "registry is a list": (set_bases(["toy"]), r"bases\.yaml: found list"),
    "hub model without revision": (
        set_bases({"toy": {"kind": "hub", "repository": "a/b"}}),
        r"bases\.yaml: toy: .*kind `hub` needs revision",
    ),
    "hub model with a branch": (
        set_bases({"toy": {"kind": "hub", "repository": "a/b", "revision": "main"}}),
        r"toy: revision: .*found 'main'",
    ),
    "unknown concept in samples": (
        set_samples(ROUND + "square\tr1.tif\n"),
        r"samples\.tsv: row 3: no concept is called `square`",
    ),
    "no file matches": (
        set_samples("round\tnone*.tif\n"),
        r"row 2: path: no file matches `none\*\.tif`",
    ),
    "file named twice": (
        set_samples(ROUND + "round\tr1.tif\t\tholdout\n"),
        r"row 3: region: r1\.tif is named twice with overlapping regions",
    ),
    "overlapping regions": (
        set_samples(
            "round\tr1.tif\t\ttrain\t0:9,0:9\nround\tr1.tif\t\tholdout\t8:12,8:12\n" + LONG
        ),
        r"row 3: region: r1\.tif .*0:9,0:9 and 8:12,8:12",
    ),
    "one file read in two ways": (
        set_samples("round\tr1.tif\t\ttrain\t0:9,0:9\t0\nround\tr1.tif\t\tholdout\t9:12,9:12\t1\n"),
        r"row 3: path: an earlier row reads r1\.tif with other settings",
    ),
    "group on both sides": (
        set_samples("round\tr1.tif\tw1\ttrain\nround\tr2.tif\tw1\tholdout\n"),
        r"row 3: role: group `w1` has role train in an earlier row and holdout here",
    ),
    "group on both sides by regions of two files": (
        set_samples("round\tr1.tif\tw1\ttrain\t0:9,0:9\nround\tr2.tif\tw1\tholdout\t0:9,0:9\n"),
        r"row 3: role: group `w1` has role train in an earlier row and holdout here",
    ),
    "nothing to train on": (
        set_samples("round\tr*.tif\t\tholdout\n" + LONG),
        r"concept `round` \(run `first`\) has no row with role train or auto",
    ),
    "nothing held out": (
        set_samples("round\tr*.tif\t\ttrain\n" + LONG),
        r"concept `round` \(run `first`\) has no row with role holdout or auto",
    ),
    "unknown base": (set_runs("a\ttoi\tround-64\tclass\n"), r"row 2: base: .*did you mean `toy`"),
    "base folder missing": (
        set_runs("a\tgone\tround-64\tclass\n"),
        r"run `a`: base: nowhere of `gone` does not exist.*make base-model",
    ),
    "unknown dataset": (
        set_runs("a\ttoy\tround-65\tclass\n"),
        r"row 2: datasets: no dataset is called `round-65`",
    ),
    "run named twice": (set_runs(RUN + RUN), r"row 3: run: `first` is named by an earlier row"),
    "run called like the study": (
        set_runs("study\ttoy\tround-64\tclass\n"),
        r"row 2: run: `study` would share a folder",
    ),
    "run called like an untuned base": (
        set_runs("base-toy\ttoy\tround-64\tclass\n"),
        r"row 2: run: `base-toy` would share a folder",
    ),
    "bad override": (
        set_runs("a\ttoy\tround-64\tclass\tauto\t1\tmany\n"),
        r"row 2: steps: .*found 'many'",
    ),
    "sizes differ": (
        set_runs("a\ttoy\tround-64,long-32\tclass\n"),
        r"row 2: datasets: .*one size, found round-64 64, long-32 32",
    ),
    "concept given twice": (
        set_runs("a\ttoy\tlong-64,long-64\tclass\n"),
        r"row 2: datasets: concept `long` is given 2 times",
    ),
    "no prior though weighted": (
        set_runs("a\ttoy\tround-64\t\n"),
        r"row 2: priors: none given, but prior_weight is 1\.0",
    ),
    "unknown prior": (set_runs("a\ttoy\tround-64\tclas\n"), r"priors: no prior is called `clas`"),
    "unknown prior without weight": (
        set_runs("a\ttoy\tround-64\tclas\tauto\t0\n"),
        r"priors: no prior is called `clas`.*did you mean `class`",
    ),
    "base of another size": (
        set_runs("a\tlarge\tround-64\tclass\n"),
        r"row 2: base: `large` was trained on 512 pixels, the tiles have 64.*size: 512",
    ),
    "the same run by two names": (
        set_runs(RUN + RUN.replace("first", "again")),
        r"row 3: run: `again` is `first` again.*`seed`",
    ),
    "package that is not there": (
        set_key("data_folder", value="package:no_such.package/data"),
        r"data_folder: the Python package `no_such.package` is not installed",
    ),
    "prior of another size": (
        set_runs("a\ttoy\tround-64\tsmall\n"),
        r"priors: the images of prior `small` have 32 pixels, the tiles 64; set priors\.small",
    ),
    "two priors of one class prompt": (
        set_runs("a\ttoy\tround-64,long-64\tclass,again\n"),
        r"row 2: priors: `class` and `again` have one class prompt",
    ),
    "wrong number of priors": (
        set_runs("a\ttoy\tround-64\tclass,class\n"),
        r"priors: found 2 priors for 1 datasets",
    ),
    "wrong number of identifiers": (
        set_runs("a\ttoy\tround-64\tclass\tzqx,vbk\n"),
        r"identifiers: found 2 for 1 datasets",
    ),
    "identifier used twice": (
        set_runs("a\ttoy\tround-64,long-64\tclass\tzqx,zqx\n"),
        r"identifiers: zqx, zqx: each dataset needs an identifier of its own",
    ),
    "identifier with a space": (
        set_runs("a\ttoy\tround-64\tclass\tz qx\n"),
        r"identifiers: `z qx` holds a space",
    ),
}


def test_sheets_that_are_not_in_the_working_folder_are_the_workflow_s(
    folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.load()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "data").symlink_to(folder.root / "data")
    assert set(load_study(folder.config, elsewhere, folder.root).runs) == {"first"}
    (elsewhere / "runs.tsv").write_text(RUNS + RUN.replace("first", "own"))
    assert set(load_study(folder.config, elsewhere, folder.root).runs) == {"own"}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_configurations_are_refused_by_name(folder: Folder, name: str) -> None:
    change, message = WRONG[name]
    folder.load()
    change(folder)
    with pytest.raises(UserError, match=message):
        folder.load()
