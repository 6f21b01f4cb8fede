import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline_lib.reporting.quarters import history_to_quarters, history_to_quarters_chart
from tests.reporting.conftest import read_page, write_run
from tests.reporting.test_report import call_script


def history_by_quarter():
    """Return a history whose training losses fall and validation losses rise, by quarter."""
    history = pd.DataFrame({"step": range(41), "loss": 0.3, "validation_loss": np.nan})
    history["seconds"] = range(41)
    for quarter in range(1, 5):
        values = {0: 1.0 / quarter, 20: 0.8 / quarter, 40: 0.6 / quarter}
        for step, value in values.items():
            here = history["step"] == step
            history.loc[here, f"train_loss_quarter_{quarter}"] = value
            history.loc[here, f"validation_loss_quarter_{quarter}"] = 2 / quarter - value
    return history


def test_each_quarter_is_measured_against_its_own_first_step():
    losses = history_to_quarters(history_by_quarter())
    assert len(losses) == 2 * 4 * 3
    for tiles, sign in (("train", -1), ("validation", 1)):
        own = losses[losses["tiles"] == tiles].sort_values(["quarter", "step"])
        assert own["change"].to_numpy() == pytest.approx([0, 0.2 * sign, 0.4 * sign] * 4)


def test_what_was_not_judged_twice_is_not_drawn():
    history = history_by_quarter()
    assert history_to_quarters_chart(history.drop(columns=history.columns[4:])) is None
    assert history_to_quarters_chart(history[history["step"] < 20]) is None
    zero = history.assign(train_loss_quarter_2=0.0)
    assert set(history_to_quarters(zero).groupby("tiles").quarter.nunique()) == {3, 4}


def test_the_page_shows_the_quarters_where_there_are_some(tmp_path):
    with Image.open(io.BytesIO(history_to_quarters_chart(history_by_quarter()).png)) as picture:
        assert picture.width > 600
    run = write_run(tmp_path / "demo")
    words = "Losses on fixed samples by quarter of the time steps."
    call_script("report", run.settings, run.paths)
    assert words not in read_page(run.paths["page"]).text
    history_by_quarter().to_csv(run.paths["history"], index=False)
    call_script("report", run.settings, run.paths)
    assert words in run.paths["page"].read_text()


def test_without_validation_nothing_is_said_of_it():
    history = history_by_quarter()
    alone = history.drop(columns=[name for name in history if "validation_loss_quarter" in name])
    assert "validation" in history_to_quarters_chart(history).note
    assert "validation" not in history_to_quarters_chart(alone).note
