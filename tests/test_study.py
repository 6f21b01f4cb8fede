from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline_lib.settings import UserError
from pipeline_lib.study import headline_extractor, load_study

CONFIG: dict[str, Any] = {
    "project": "trial",
    "samples": "samples.tsv",
    "runs": "runs.tsv",
    "base_models": "bases.yaml",
    "extractors": "extractors.yaml",
    "data_folder": "data",
    "concepts": {"round": {"noun": "cells"}, "long": {"noun": "rods"}},
    "datasets": {
        "round-64": {"concept": "round", "tiles": {"size": 64}},
        "long-64": {"concept": "long", "tiles": {"size": 64}},
        "long-32": {"concept": "long", "tiles": {"size": 32}},
    },
    "priors": {
        "class": {"class_prompt": "an image of cells", "size": 64},
        "small": {"class_prompt": "an image of cells", "size": 32},
        "again": {"class_prompt": "an image of cells", "size": 64, "guidance": 2},
    },
}
BASES = {
    "toy": {"kind": "folder", "path": "toy", "size": 64},
    "gone": {"kind": "folder", "path": "nowhere", "size": 64},
    "large": {"kind": "folder", "path": "toy"},
}
SAMPLES = "concept\tpath\tgroup\trole\tregion\tchannel\n"
ROUND = "round\tr*.tif\t\tauto\t\t\n"
LONG = "long\tl1.tif\t\ttrain\t\t\nlong\tl2.tif\t\tholdout\t\t\n"
RUNS = "run\tbase\tdatasets\tpriors\tidentifiers\tprior_weight\tsteps\n"
RUN = "first\ttoy\tround-64\tclass\n"


class Folder:
    """A folder with a whole, right configuration that tests then spoil."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = copy.deepcopy(CONFIG)
        self.bases: Any = copy.deepcopy(BASES)
        self.extractors: Any = {
            "efficientnet-lite0": {"family": "efficientnet-lite0", "kind": "package"}
        }
        self.samples = SAMPLES + ROUND + LONG
        self.runs = RUNS + RUN
        (root / "toy").mkdir()
        (root / "data").mkdir()
        for name in ("r1", "r2", "l1", "l2", ".r0"):
            (root / f"data/{name}.tif").write_bytes(b"")

    def load(self, first_files=list):
        (self.root / "bases.yaml").write_text(yaml.safe_dump(self.bases))
        (self.root / "extractors.yaml").write_text(yaml.safe_dump(self.extractors))
        (self.root / "samples.tsv").write_text(self.samples)
        (self.root / "runs.tsv").write_text(self.runs)
        return load_study(self.config, self.root, self.root, first_files)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_sheets_that_are_not_in_the_working_folder_are_the_workflow_s(
    folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.load()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "data").symlink_to(folder.root / "data")
    assert set(load_study(folder.config, elsewhere, folder.root).runs) == {"first"}
    (elsewhere / "runs.tsv").write_text(RUNS + RUN.replace("first", "own"))
    assert set(load_study(folder.config, elsewhere, folder.root).runs) == {"own"}


def test_globs_become_sources_without_hidden_files(folder: Folder) -> None:
    study = folder.load()
    assert [source.path.name for source in study.sources["round"].values()] == ["r1.tif", "r2.tif"]
    assert [region.role for region in study.regions["long"]] == ["train", "holdout"]
    assert {region.group for region in study.regions["round"]} == {"r1.tif", "r2.tif"}


def test_cells_of_the_sheet_overrule_the_concept(folder: Folder) -> None:
    folder.config["concepts"]["long"]["reading"] = {"channel": "oblique", "z": "middle"}
    folder.samples = SAMPLES + ROUND + LONG.replace("train\t\t", "train\t\t2")
    sources = {source.path.name: source for source in folder.load().sources["long"].values()}
    assert sources["l1.tif"].reading.channel == "2"
    assert sources["l2.tif"].reading.channel == "oblique"
    assert sources["l1.tif"].reading.z == "middle"


def test_columns_of_runs_overrule_training(folder: Folder) -> None:
    folder.config["training"] = {"steps": 5, "batch_size": 3}
    folder.runs = RUNS + "first\ttoy\tround-64\tclass\t\t\t9\n"
    training = folder.load().runs["first"].training
    assert (training.steps, training.batch_size) == (9, 3)


def test_untuned_images_are_shared_by_the_runs_of_a_base(folder: Folder) -> None:
    folder.runs = RUNS + RUN + "second\ttoy\tround-64\tclass\tauto\t1\t9\n"
    models = [model for model, _ in folder.load().image_sets]
    assert sorted(models) == ["base-toy", "first", "second"]


def test_image_sets_are_named_by_dataset_and_prompt(folder: Folder) -> None:
    folder.runs = RUNS + "first\ttoy\tround-64,long-64\tclass\n"
    names = {name for _, name in folder.load().image_sets}
    assert names == {"round-64-subject", "long-64-subject"}


def test_image_sets_that_would_share_a_folder_are_refused(folder: Folder) -> None:
    folder.config["datasets"]["round"] = {"concept": "round", "tiles": {"size": 64}}
    folder.config["sampling"] = {"prompts": {"subject": {}, "64-subject": {}}}
    with pytest.raises(UserError, match=r"datasets\.round .*share the folder `round-64-subject`"):
        folder.load()


def name_real_images(folder: Folder, **keys: Any) -> None:
    """Give the prior real images of two files, one of them hidden."""
    folder.config["priors"]["class"] |= {"images": "classes"} | keys
    (folder.root / "data/classes").mkdir()
    for name in ("b", "a", ".c"):
        (folder.root / f"data/classes/{name}.tif").write_bytes(b"")


@pytest.mark.parametrize("pattern", ["classes", "classes/*.tif", "c*/?.tif"])
def test_real_class_images_are_found(folder: Folder, pattern: str) -> None:
    name_real_images(folder, images=pattern)
    found = folder.load().prior_files
    assert [path.name for path in found["class"]] == ["a.tif", "b.tif"]
    assert list(found) == ["class"]


def test_real_class_images_that_no_run_uses_are_not_looked_for(folder: Folder) -> None:
    folder.config["priors"]["small"]["images"] = "nowhere"
    assert folder.load().prior_files == {}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"images": "nowhere"}, r"priors\.class\.images: no file matches `nowhere`"),
        ({"images": "r*.tif"}, r"r1\.tif is an image of concept `round` in samples\.tsv"),
        ({"guidance": 2, "steps": 5}, r"priors\.class: .*not drawn: leave guidance, steps out"),
        ({"images": None, "scale": 2}, r"priors\.class: scale without `images`"),
    ],
)
def test_real_class_images_that_cannot_serve_are_refused(
    folder: Folder, keys: dict[str, Any], message: str
) -> None:
    name_real_images(folder, **keys)
    with pytest.raises(UserError, match=message):
        folder.load()


@pytest.mark.parametrize("other", ["hard.tif", "part.tif"])
def test_a_class_image_is_no_subject_by_another_name_either(folder: Folder, other: str) -> None:
    name_real_images(folder, images=other)
    raw = folder.root / "data/r1.tif"
    (folder.root / "data/hard.tif").hardlink_to(raw)
    (folder.root / "data/part.tif").write_bytes(b"")  # a later file of the image in r1.tif

    def first_files(paths: list[Path]) -> list[Path]:
        return [raw if path.name == "part.tif" else path for path in paths]

    with pytest.raises(UserError, match="is an image of concept `round`"):
        folder.load(first_files)


def test_prior_weight_zero_uses_no_prior(folder: Folder) -> None:
    folder.runs = RUNS + "first\ttoy\tround-64\t\t\t0\n"
    assert folder.load().runs["first"].priors == (None,)


def test_one_prior_serves_all_datasets(folder: Folder) -> None:
    folder.runs = RUNS + "first\ttoy\tround-64,long-64\tclass\n"
    run = folder.load().runs["first"]
    assert run.priors == ("class", "class")
    assert [one.identifier for one in run.concepts] == ["auto", "auto"]


def name_extractors(folder: Folder) -> None:
    (folder.root / "weights").mkdir()
    folder.extractors |= {
        "ours": {"family": "dinov2", "kind": "folder", "path": "weights"},
        "words": {"family": "clip", "kind": "folder", "path": "weights"},
        "unused": {"family": "dino", "kind": "folder", "path": "nowhere"},
    }
    names = ["efficientnet-lite0", "words", "ours"]
    folder.config["evaluation"] = {"extractors": names}


def test_runs_are_judged_by_dinov2_where_it_is_named(folder: Folder) -> None:
    assert headline_extractor(folder.load().extractors) == "efficientnet-lite0"
    name_extractors(folder)
    study = folder.load()
    assert list(study.extractors) == ["efficientnet-lite0", "words", "ours"]
    assert headline_extractor(study.extractors) == "ours"


def test_what_judges_trainings_is_apart_from_the_evaluation(folder: Folder) -> None:
    name_extractors(folder)
    assert list(folder.load().judges) == ["efficientnet-lite0"]
    folder.config["evaluation"] = {"extractors": ["efficientnet-lite0"]}
    folder.config["training"] = {"judge_by": "ours"}
    study = folder.load()
    assert (list(study.judges), list(study.extractors)) == (["ours"], ["efficientnet-lite0"])
    folder.config["training"] = {"judge_by": "our"}
    with pytest.raises(UserError, match=r"training\.judge_by: no extractor is called `our`"):
        folder.load()
    folder.config["training"] = {"judge_by": None}
    assert folder.load().judges == {}


def test_extractors_without_their_weights_are_refused_before_any_job(folder: Folder) -> None:
    name_extractors(folder)
    folder.extractors["ours"]["path"] = "elsewhere"
    with pytest.raises(UserError, match=r"extractors: elsewhere of `ours` does not exist; put"):
        folder.load()


def test_class_images_are_a_set_of_the_run_alone(folder: Folder) -> None:
    before = set(folder.load().image_sets)
    folder.config["evaluation"] = {"class_prompt_images": 7}
    study = folder.load()
    added = set(study.image_sets) - before
    assert added == {("first", "round-64-class")}
    one = study.image_sets["first", "round-64-class"]
    assert (one.run, one.count) == ("first", 7)
    assert one.prompt == study.image_sets["first", "round-64-subject"].prompt
    assert not one.identifier


def test_a_prompt_may_be_called_class_where_no_class_images_are_drawn(folder: Folder) -> None:
    folder.config["sampling"] = {"prompts": {"subject": {}, "class": {}}}
    assert folder.load().image_sets["first", "round-64-class"].identifier


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


@pytest.mark.parametrize("name", WRONG)
def test_wrong_configurations_are_refused_by_name(folder: Folder, name: str) -> None:
    change, message = WRONG[name]
    folder.load()
    change(folder)
    with pytest.raises(UserError, match=message):
        folder.load()


def test_an_image_in_several_files_is_one_source_whichever_is_named(folder: Folder) -> None:
    (folder.root / "data/l3.tif").write_bytes(b"")
    rows = "long\tl[13].tif\t\ttrain\t\t\nlong\tl2.tif\t\tholdout\t\t\n"
    folder.samples = SAMPLES + ROUND + rows
    study = folder.load(lambda paths: [Path(str(path).replace("l3", "l1")) for path in paths])
    found = [source.path.name for source in study.sources["long"].values()]
    assert found == ["l1.tif", "l2.tif"]


def test_positions_of_a_file_are_sources_of_their_own(folder: Folder) -> None:
    header = SAMPLES.replace("channel", "position")
    rows = ROUND + "".join(f"long\tl1.tif\t\ttrain\t\t{name}\n" for name in ("A1", "A2"))
    folder.samples = header + rows + "long\tl2.tif\t\tholdout\t\t\n"
    study = folder.load()
    positions = [source.reading.position for source in study.sources["long"].values()]
    assert positions == ["A1", "A2", None]
    assert len({region.group for region in study.regions["long"]}) == 2


def test_a_position_that_is_named_twice_is_refused(folder: Folder) -> None:
    header = SAMPLES.replace("channel", "position")
    folder.samples = header + ROUND + "long\tl1.tif\t\tauto\t\tA1\n" * 2
    with pytest.raises(UserError, match="named twice with overlapping regions"):
        folder.load()
