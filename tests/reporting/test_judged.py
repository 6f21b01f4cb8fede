from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline_lib.models.cards import TRAINED_CARD
from pipeline_lib.reporting.judged import (
    REASONS,
    distances_to_png,
    diversity_to_png,
    history_to_judged,
    history_to_judged_view,
    training_to_checkpoint_note,
)
from tests.reporting.conftest import read_page, write_run
from tests.reporting.test_report import call_script

FLOORS = ("floor_distance", "floor_low", "floor_high")
SETTINGS = {"settings": {"training": {"judge_count": 16}}}


def judged_history(copies=(0.0, 0.0, 0.0, 0.25)):
    """Return a history of 60 steps that was judged before it and every 20 steps."""
    history = pd.DataFrame(
        {"step": range(61), "loss": 0.3, "validation_loss": np.nan, "seconds": range(61)}
    )
    figures = {
        "distance": (0.4, 0.2, 0.1, 0.15),
        "distance_error": (0.04, 0.03, 0.02, 0.02),
        "floor_distance": (0.01,) * 4,
        "floor_low": (-0.01,) * 4,
        "floor_high": (0.03,) * 4,
        "training_similarity": (0.2, 0.25, 0.3, 0.7),
        "validation_similarity": (0.28,) * 4,
        "copies": copies,
        "diversity": (0.6, 0.8, 0.9, 0.5),
        "drift": (0.0, 0.2, 0.4, 0.9),
    }
    for column, values in figures.items():
        history.loc[history["step"] % 20 == 0, column] = values
    return history


def checkpoint(reason, **changed):
    told = {"step": 40, "last": 60, "judged": 3, "reason": reason, "gain": 0.05, "margin": 0.03}
    return {"checkpoint": told | changed}


@pytest.mark.parametrize("reason", REASONS)
def test_the_note_says_what_was_done(reason):
    early = reason in ("nearer", "fewer faults")
    card = checkpoint(reason, step=40 if early else 60)
    note = training_to_checkpoint_note(judged_history(), card)
    assert note.startswith("The checkpoint of step 40 of 60" if early else "The last checkpoint")
    assert ("copies" in note) == (reason not in ("within chance", "not judged"))
    assert ("0.05" in note and "0.03" in note) == (reason == "nearer")


def test_where_nothing_was_chosen_the_note_says_what_was_only_recorded():
    judged = judged_history()
    plain = judged[["step", "loss", "validation_loss"]]
    both = judged.assign(validation_loss=0.2)
    notes = [training_to_checkpoint_note(one, {}) for one in (plain, judged, both)]
    assert "no validation loss was recorded" in notes[0]
    assert "What its pictures are like was recorded, but not used" in notes[1]
    assert "The validation loss and what its pictures are like were recorded" in notes[2]
    assert "validation loss was recorded" in training_to_checkpoint_note(
        plain.assign(validation_loss=0.2), {}
    )
    older = plain.drop(columns="validation_loss")
    assert "no validation loss" in training_to_checkpoint_note(older, {})


def test_only_judged_steps_are_shown():
    judged = history_to_judged(judged_history())
    assert judged["step"].tolist() == [0, 20, 40, 60]
    assert history_to_judged_view(judged_history()[["step", "loss"]], SETTINGS) is None
    view = history_to_judged_view(judged_history(), SETTINGS)
    assert len(view.charts) == 2
    assert view.charts[0].words == (
        "Distance to the validation tiles over the training: 0.4 at step 0, 0.15 at step 60; real "
        "training tiles: 0.01."
    )
    assert "diversity 0.5, drift of the class 0.9" in view.charts[1].words
    assert "most at step 60, 25% of the pictures" in view.words
    assert (
        "None of the pictures was a copy"
        in history_to_judged_view(judged_history((0.0,) * 4), SETTINGS).words
    )


def test_without_validation_tiles_there_is_no_chart_of_distance():
    bare = ["step", "training_similarity", "drift"]
    view = history_to_judged_view(judged_history()[bare], SETTINGS)
    assert len(view.charts) == 1 and "drift of the class 0.9" in view.charts[0].words
    assert "nan" not in view.charts[0].words and "copy" not in view.words


def write_page(run):
    """Write the page of a run and return what it holds."""
    call_script("report", run.settings, run.paths)
    return read_page(run.paths["page"])


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("draw", [distances_to_png, diversity_to_png])
def test_charts_are_the_same_for_the_same_values_and_mark_the_used_step(draw):
    judged = history_to_judged(judged_history())
    assert draw(judged, 40) == draw(judged, 40) != draw(judged, 60)


def test_bands_are_drawn_only_where_they_were_measured():
    judged = history_to_judged(judged_history())
    whole = pixels(distances_to_png(judged, 60))
    floor = ["floor_distance", "floor_low", "floor_high"]
    floorless = pixels(distances_to_png(judged.assign(**dict.fromkeys(floor, np.nan)), 60))
    late = pixels(distances_to_png(judged[1:], 60))

    def share(image, colour):
        return (np.abs(image - colour).max(axis=2) < 6).mean()

    grey, orange = (219, 219, 219), (249, 231, 217)
    assert share(whole, grey) > 0.02 > share(floorless, grey)
    assert share(whole, orange) > 0.02 > share(late, orange)


def test_the_page_shows_the_charts_only_where_pictures_were_judged(tmp_path, run_on_disk):
    plain = write_page(run_on_disk)
    assert "same noise and compared" not in plain.text
    run = write_run(tmp_path / "judged")
    judged_history().to_csv(run.paths["history"], index=False)
    card = json.loads((run.paths["model"] / TRAINED_CARD).read_text())
    card["settings"]["training"]["judge_count"] = 16
    (run.paths["model"] / TRAINED_CARD).write_text(json.dumps(card | checkpoint("nearer")))
    page = write_page(run)
    assert "The checkpoint of step 40 of 60 was used" in page.text
    assert "16 pictures of each subject were drawn from the same noise" in page.text
    alternatives = [image["alt"] for image in page.all("img")]
    assert sum("Distance to the validation tiles over the training" in a for a in alternatives) == 1
    assert sum("drift of the class 0.9" in words for words in alternatives) == 1
    assert not page.unbalanced
    assert "The checkpoint of step 40" in run.paths["verdict"].read_text().replace("\n", " ")


def test_without_validation_tiles_nothing_is_said_of_them():
    history = judged_history()
    compared = ("distance", "distance_error", "validation_similarity", "copies", "diversity")
    alone = history.assign(**dict.fromkeys([*compared, *FLOORS], np.nan))
    view = history_to_judged_view(alone, SETTINGS)
    assert "no validation tiles to compare" in view.words
    (chart,) = view.charts
    assert "alidation" not in chart.note and "iversity" not in chart.note
    assert "Drift" in chart.note and "Likeness" in chart.note
    full = history_to_judged_view(history, SETTINGS)
    assert "(validation tiles" in full.words and "Diversity" in full.charts[1].note
