from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import t as student

from pipeline_lib.survey.scores import answers_to_survey_score, score_to_record
from pipeline_lib.survey.words import score_to_text
from tests.survey.small_survey import answer, make_survey

KEY, _ = make_survey(40, fields=5)
FEW, _ = make_survey(8, alternatives=4, fields=1)


def right(count, share):
    """The first answers right, the others wrong."""
    return [place < share * count for place in range(count)]


def test_one_rater():
    found = answers_to_survey_score(answer(KEY, "Anna", right(40, 0.75)), KEY)
    row = found.raters[0]
    assert (row.rater, row.answered, row.correct, row.chance) == ("Anna", 40, 30, 0.5)
    assert row.low < 0.75 < row.high
    assert row.d_low < row.d_prime < row.d_high
    assert row.p_value < 0.01
    assert row.median_seconds == pytest.approx(1.0205)
    assert found.agreement is None
    assert math.isnan(found.spread.deviation)
    pooled = vars(found.pooled) | {"rater": "Anna"}
    assert pooled == vars(row)


def test_several_raters_are_pooled_and_spread():
    answers = [
        *answer(KEY, "Bert", right(40, 1)),
        *answer(KEY, "Anna", right(40, 0.5)),
        *answer(KEY, "Carl", right(20, 0.5)),
    ]
    found = answers_to_survey_score(answers, KEY)
    assert [row.rater for row in found.raters] == ["Anna", "Bert", "Carl"]
    assert (found.pooled.correct, found.pooled.answered) == (70, 100)
    assert found.spread.mean == pytest.approx(2 / 3)
    assert found.spread.deviation == pytest.approx(np.std([0.5, 1, 0.5], ddof=1))
    assert (found.spread.least, found.spread.largest) == (0.5, 1)
    assert found.agreement.trials == 20
    # Of the twenty common trials all agree in ten, two of the three pairs differ in the others.
    assert found.agreement.observed == pytest.approx((10 + 10 / 3) / 20)
    said = score_to_text(found)
    assert "Carl answered 20 of 40 trials." in said
    assert "* all or none right" in said


def test_raters_without_a_common_trial_have_no_agreement():
    answers = [*answer(KEY, "Anna", [True]), *answer(KEY, "Bert", [True], first=2)]
    found = answers_to_survey_score(answers, KEY)
    assert found.agreement is None
    assert "no agreement" in score_to_text(found)


def test_the_interval_over_fields_is_students_where_fields_have_equal_trials():
    generator = np.random.default_rng(3)
    good = list(generator.random(40) < 0.7)
    found = answers_to_survey_score(answer(KEY, "Anna", good), KEY)
    fields = sorted({trial.source for trial in KEY.trials})
    means = [
        np.mean([g for g, one in zip(good, KEY.trials, strict=True) if one.source == field])
        for field in fields
    ]
    half = student.ppf(0.975, 4) * np.std(means, ddof=1) / math.sqrt(5)
    assert found.fields.fields == 5
    assert found.fields.low == pytest.approx(np.mean(good) - half)
    assert found.fields.high == pytest.approx(min(1, np.mean(good) + half))


def test_fields_of_one_group_are_not_independent():
    grouped, _ = make_survey(trials=40, fields=10, groups=5)
    alone, _ = make_survey(trials=40, fields=10)
    generator = np.random.default_rng(4)
    of_group = dict(zip([f"well-{i}" for i in range(5)], (0, 1, 0.5, 1, 0), strict=True))
    good = [bool(generator.random() < of_group[trial.group]) for trial in grouped.trials]
    wide, narrow = (
        answers_to_survey_score(answer(key, "Anna", good), key).fields for key in (grouped, alone)
    )
    assert (wide.fields, narrow.fields) == (5, 10)
    means = [
        np.mean([g for g, one in zip(good, grouped.trials, strict=True) if one.group == group])
        for group in of_group
    ]
    half = student.ppf(0.975, 4) * np.std(means, ddof=1) / math.sqrt(5)
    assert wide.low == pytest.approx(max(0, np.mean(good) - half))


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.5, "Not told from guessing"), (1, "more often than"), (0, "less often than by guessing")],
)
def test_the_result_in_words(share, said):
    assert said in score_to_text(
        answers_to_survey_score(answer(KEY, "Anna", right(40, share)), KEY)
    )


def test_few_fields_are_said():
    said = score_to_text(answers_to_survey_score(answer(FEW, "Anna", right(8, 0.5)), FEW))
    assert "chance 25%" in said
    assert "come from one field: intervals are over judgements" in said
    assert "One rater" in said
    assert FEW.notes[0] in said


def test_a_record_is_plain_json():
    found = answers_to_survey_score(answer(FEW, "Anna", right(8, 1)), FEW)
    record = json.loads(json.dumps(score_to_record(found), allow_nan=False))
    assert record["raters"][0]["d_high"] is None
    assert record["fields"] == {"fields": 1, "low": None, "high": None}
    assert record["raters"][0]["d_corrected"] is True
