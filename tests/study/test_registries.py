from __future__ import annotations

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.extractors import LPIPS_HEADS
from pipeline_lib.study.registries import headline_extractor
from tests.study.folders import Folder, name_extractors, name_lpips


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


def test_lpips_is_apart_from_what_gives_features(folder: Folder) -> None:
    name_lpips(folder, "efficientnet-lite0")
    study = folder.load()
    assert (list(study.extractors), list(study.distances)) == (["efficientnet-lite0"], ["pairs"])
    assert list(study.used_extractors) == ["efficientnet-lite0", "pairs"]
    assert headline_extractor(study.extractors) == "efficientnet-lite0"


def test_lpips_alone_is_refused_and_so_is_judging_by_it(folder: Folder) -> None:
    name_lpips(folder)
    with pytest.raises(UserError, match=r"evaluation\.extractors: `pairs` .* no features; name an"):
        folder.load()
    name_lpips(folder, "efficientnet-lite0")
    folder.config["training"] = {"judge_by": "pairs"}
    with pytest.raises(UserError, match=r"run first: training\.judge_by: `pairs` .* no features"):
        folder.load()


def test_half_of_lpips_is_refused_before_any_job(folder: Folder) -> None:
    name_lpips(folder, "efficientnet-lite0")
    (folder.root / "lpips" / LPIPS_HEADS).unlink()
    with pytest.raises(
        UserError, match=r"lpips of `pairs` has no alex\.pth; put there alexnet-owt"
    ):
        folder.load()
