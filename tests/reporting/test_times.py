import json
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.reporting.times import (
    NOT_RECORDED,
    history_to_took,
    read_shard_times,
    record_to_took,
    seconds_to_words,
    times_to_table,
    together,
)
from pipeline_lib.sampling.shard_files import shard_to_time_file

GPU, CPU = {"device": "cuda:0"}, {"device": "cpu"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (86_400, "24 h 0 min"),
        (math.nan, NOT_RECORDED),
    ],
)
def test_times_in_words(seconds, words):
    assert seconds_to_words(seconds) == words


@given(st.floats(0, 1e6))
def test_times_in_words_are_read_back(seconds):
    units = {"h": 3600, "min": 60, "s": 1}
    parts = seconds_to_words(seconds).split()
    read = sum(
        int(count) * units[unit] for count, unit in zip(parts[::2], parts[1::2], strict=True)
    )
    assert abs(read - seconds) <= (0.5 if seconds < 3599 else 31)
    counts = dict(zip(parts[1::2], parts[::2], strict=True))
    assert all(int(counts.get(unit, 0)) < 60 for unit in ("min", "s"))


def test_only_times_on_a_gpu_are_gpu_hours():
    took = together([record_to_took({"seconds": 7200, **one}) for one in (GPU, CPU, GPU)])
    assert (took.seconds, took.gpu_hours, took.device) == (21_600, 4, "cuda:0, cpu")


@pytest.mark.parametrize("record", [{}, GPU, {"seconds": 5.0}])
def test_what_was_not_recorded_makes_the_sum_unknown(record):
    took = together([record_to_took({"seconds": 60, **GPU}), record_to_took(record)])
    assert math.isnan(took.gpu_hours)
    assert math.isnan(took.seconds) == ("seconds" not in record)


def test_training_counts_all_attempts():
    history = pd.DataFrame({"step": [1, 2, 3], "seconds": [0.5, 1.0, 1800.0]})
    took = history_to_took(history, {"provenance": GPU})
    assert (took.seconds, took.gpu_hours, took.device) == (1800, 0.5, "cuda:0")
    empty = history_to_took(history.head(0), {})
    assert math.isnan(empty.seconds) and empty.device == ""


def test_shards_are_added_and_one_without_a_time_is_not_forgotten(tmp_path):
    shards = [tmp_path / f"{number}.zip" for number in range(3)]
    for shard in shards:
        shard_to_time_file(shard).write_text(json.dumps({"seconds": 40, **GPU}))
    assert read_shard_times(shards).seconds == 120
    shard_to_time_file(shards[1]).unlink()
    assert math.isnan(read_shard_times(shards).seconds)


def test_the_table_has_a_line_for_each_stage_and_their_sum():
    times = {
        "fine-tuning": record_to_took({"seconds": 5400, **GPU}),
        "images": record_to_took({"seconds": 30, **CPU}),
    }
    assert times_to_table(times).rows == [
        ["fine-tuning", "1 h 30 min", "cuda:0", "1.5"],
        ["images", "30 s", "cpu", "0"],
        ["together", "1 h 30 min", "cuda:0, cpu", "1.5"],
    ]
    unknown = times_to_table({**times, "more": record_to_took({})}).rows
    assert unknown[2:] == [["more", NOT_RECORDED, "", ""]]
