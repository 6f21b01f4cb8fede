import pytest

from pipeline_lib.evaluation.comparisons import list_metrics
from pipeline_lib.reporting.words import METRICS, flags_to_notes, metric_to_words


@pytest.mark.parametrize("unit", ["um", "px"])
def test_every_metric_of_the_evaluation_is_explained(unit):
    names = {"kernel_distance", "copy_share", "near_share"}
    names |= {metric.name for metric in list_metrics(unit)}
    assert names <= set(METRICS)
    assert all(METRICS[name].meaning and METRICS[name].direction for name in names)


def test_only_one_score_is_called_fid():
    labels = {name: metric_to_words(name, "efficientnet-lite0").label for name in METRICS}
    assert labels["frechet_distance"] == "Frechet distance (EfficientNet-Lite0)"
    assert [name for name, label in labels.items() if "FID" in label or "KID" in label] == ["fid"]


def test_unknown_metrics_go_by_their_own_name():
    assert metric_to_words("new_kind_of_score", "dino").label == "New kind of score (dino)"


def test_flags_become_sentences():
    assert flags_to_notes(["small_set", "one field: chance"]) == [
        "One field: chance.",
        "Small set.",
    ]
