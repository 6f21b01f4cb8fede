"""How long the stages of a run took, on which device, and how many GPU-hours that makes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.files import read_json
from pipeline_lib.reporting.tables import Table, number
from pipeline_lib.sampling.shard_files import shard_to_time_file

GPU = "cuda"
SECONDS_IN_MINUTE, SECONDS_IN_HOUR, MINUTES_IN_HOUR = 60, 3600, 60
CAPTION = "Time and GPU-hours by stage"
HEAD = ("stage", "time", "device", "GPU-hours")
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Took:
    """A stage's time.

    Attributes
    ----------
    seconds : float
        NaN where it was not recorded.
    gpu_seconds : float
        Those of them on a GPU; NaN where time or device was not recorded.
    device : str
        Devices by commas, empty where none was recorded.
    """

    seconds: float
    gpu_seconds: float
    device: str

    @property
    def gpu_hours(self) -> float:
        """Hours on a GPU."""
        return self.gpu_seconds / SECONDS_IN_HOUR


def record_to_took(record: Mapping[str, Any]) -> Took:
    """Read what a job recorded of its time.

    Parameters
    ----------
    record : mapping
        With ``seconds`` and ``device``, either of which may be missing.

    Returns
    -------
    Took
        What is missing is unknown.
    """
    seconds, device = float(record.get("seconds", math.nan)), str(record.get("device", ""))
    if not device:
        return Took(seconds, math.nan, "")
    return Took(seconds, seconds if device.startswith(GPU) else 0.0 * seconds, device)


def together(parts: Sequence[Took]) -> Took:
    """Add up the times of jobs.

    Parameters
    ----------
    parts : sequence of Took
        Any number.

    Returns
    -------
    Took
        Unknown in what one of them is.
    """
    devices = dict.fromkeys(took.device for took in parts if took.device)
    seconds = sum((took.seconds for took in parts), 0.0)
    return Took(seconds, sum((took.gpu_seconds for took in parts), 0.0), ", ".join(devices))


def history_to_took(history: pd.DataFrame, card: Mapping[str, Any]) -> Took:
    """Return how long fine-tuning took, over all attempts.

    Parameters
    ----------
    history : DataFrame
        The table of training.csv, with ``seconds`` since the first step.
    card : mapping
        brightbooth.json of the trained model, whose provenance names the device.

    Returns
    -------
    Took
        Without loading and export.
    """
    record = {"device": card.get("provenance", {}).get("device", "")}
    if history["seconds"].notna().any():
        record["seconds"] = history["seconds"].max()
    return record_to_took(record)


def read_shard_times(shards: Iterable[Path]) -> Took:
    """Return how long drawing some shards took.

    Parameters
    ----------
    shards : iterable of Path
        Their files.

    Returns
    -------
    Took
        The sum over the shards.
    """
    paths = map(shard_to_time_file, shards)
    return together([record_to_took(read_json(path) if path.exists() else {}) for path in paths])


def times_to_table(times: Mapping[str, Took]) -> Table:
    """Write times as a table with their sum.

    Parameters
    ----------
    times : mapping
        By the stage's name in words.

    Returns
    -------
    Table
        A line for each stage, and one for all together, where all are known.
    """
    lines = dict(times)
    whole = together(list(times.values()))
    if not math.isnan(whole.seconds):
        lines["together"] = whole
    rows = [
        [
            stage,
            seconds_to_words(took.seconds),
            took.device,
            "" if math.isnan(took.gpu_hours) else number(took.gpu_hours, 2),
        ]
        for stage, took in lines.items()
    ]
    return Table(CAPTION, HEAD, rows)


def seconds_to_words(seconds: float) -> str:
    """Write a time in the two largest units that it fills.

    Parameters
    ----------
    seconds : float
        From 0 up, NaN where it is unknown.

    Returns
    -------
    str
        Rounded to whole seconds, from an hour on to whole minutes.

    Examples
    --------
    >>> seconds_to_words(131.9), seconds_to_words(7290.0)
    ('2 min 12 s', '2 h 2 min')
    """
    if math.isnan(seconds):
        return NOT_RECORDED
    whole = round(seconds)
    if whole < SECONDS_IN_MINUTE:
        return f"{whole} s"
    if whole < SECONDS_IN_HOUR:
        return f"{whole // SECONDS_IN_MINUTE} min {whole % SECONDS_IN_MINUTE} s"
    minutes = round(whole / SECONDS_IN_MINUTE)
    return f"{minutes // MINUTES_IN_HOUR} h {minutes % MINUTES_IN_HOUR} min"
