"""What answers say: per rater, and of all together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.intervals import jackknife_estimate, names_to_units
from pipeline_lib.survey.agreement import Agreement, choices_to_agreement
from pipeline_lib.survey.answers import Answer
from pipeline_lib.survey.detection import accuracy_to_d_prime, answers_to_sensitivity
from pipeline_lib.survey.keys import SurveyKey
from pipeline_lib.survey.precision import (
    CONFIDENCE,
    exact_interval,
    exact_p_value,
    judgements_to_come,
)

POOLED = "(all)"  # no rater can be called so


@dataclass(frozen=True)
class Score:
    """A row of the table: a rater, or all of them.

    Attributes
    ----------
    rater : str
        Name, or `POOLED`.
    answered, correct : int
        Judgements, and right ones.
    accuracy, low, high : float
        Share of right ones with its exact 95 % interval over judgements.
    chance, p_value : float
        Share by guessing, and the two-sided p value of the exact test against it.
    d_prime, d_low, d_high : float
        Sensitivity, and that of the interval's ends, which may be infinite.
    d_corrected : bool
        Whether all or none were right, so that d' rests on half an answer.
    needed_5, needed_5_worst, needed_10, needed_10_worst : int
        Judgements still needed for an interval of plus or minus 5 and 10 points, at this accuracy
        and at worst.
    median_seconds : float
        Of an answer.
    """

    rater: str
    answered: int
    correct: int
    accuracy: float
    low: float
    high: float
    chance: float
    p_value: float
    d_prime: float
    d_low: float
    d_high: float
    d_corrected: bool
    needed_5: int
    needed_5_worst: int
    needed_10: int
    needed_10_worst: int
    median_seconds: float


@dataclass(frozen=True)
class Spread:
    """How raters differ: mean, standard deviation (NaN for one), least and largest accuracy."""

    raters: int
    mean: float
    deviation: float
    least: float
    largest: float


@dataclass(frozen=True)
class FieldInterval:
    """Accuracy's interval over fields of real tiles, NaN with fewer than five."""

    fields: int
    low: float
    high: float


@dataclass(frozen=True)
class SurveyScore:
    """Everything that is said of a survey; `agreement` is none for one rater."""

    survey: str
    trials: int
    alternatives: int
    raters: Sequence[Score]
    pooled: Score
    spread: Spread
    fields: FieldInterval
    agreement: Agreement | None
    notes: Sequence[str]


def answers_to_survey_score(answers: Sequence[Answer], key: SurveyKey) -> SurveyScore:
    """Score a survey.

    Parameters
    ----------
    answers : sequence of Answer
        At least one; no rater answers a trial twice.
    key : SurveyKey
        Of the survey they answer.

    Returns
    -------
    SurveyScore
        Raters by name.
    """
    names = sorted({one.rater for one in answers})
    by_rater = [[one for one in answers if one.rater == name] for name in names]
    scores = [answers_to_score(name, own, key) for name, own in zip(names, by_rater, strict=True)]
    return SurveyScore(
        survey=key.survey,
        trials=len(key.trials),
        alternatives=key.alternatives,
        raters=scores,
        pooled=answers_to_score(POOLED, answers, key),
        spread=scores_to_spread(scores),
        fields=answers_to_field_interval(answers, key),
        agreement=answers_to_agreement(by_rater, key),
        notes=key.notes,
    )


def answers_to_score(rater: str, answers: Sequence[Answer], key: SurveyKey) -> Score:
    """Return the row of one rater, or of all.

    Parameters
    ----------
    rater : str
        Name of the row.
    answers : sequence of Answer
        At least one.
    key : SurveyKey
        Of the survey they answer.

    Returns
    -------
    Score
        Every answer counts as one independent judgement.
    """
    answered, correct = len(answers), int(_are_right(answers, key).sum())
    low, high = exact_interval(correct, answered)
    sensitivity = answers_to_sensitivity(correct, answered, key.alternatives)
    five, ten = (judgements_to_come(correct, answered, width) for width in (0.05, 0.1))
    return Score(
        rater=rater,
        answered=answered,
        correct=correct,
        accuracy=correct / answered,
        low=low,
        high=high,
        chance=1 / key.alternatives,
        p_value=exact_p_value(correct, answered, 1 / key.alternatives),
        d_prime=sensitivity.value,
        d_low=accuracy_to_d_prime(low, key.alternatives),
        d_high=accuracy_to_d_prime(high, key.alternatives),
        d_corrected=sensitivity.corrected,
        needed_5=five[0],
        needed_5_worst=five[1],
        needed_10=ten[0],
        needed_10_worst=ten[1],
        median_seconds=float(np.median([one.milliseconds for one in answers])) / 1000,
    )


def _are_right(answers: Sequence[Answer], key: SurveyKey) -> npt.NDArray[np.bool_]:
    """Say of each answer whether it names the real picture."""
    return np.array([one.chosen == key.trials[one.trial - 1].target for one in answers])


def scores_to_spread(scores: Sequence[Score]) -> Spread:
    """Return how raters differ."""
    shares = np.array([score.accuracy for score in scores])
    deviation = float(shares.std(ddof=1)) if len(shares) > 1 else math.nan
    return Spread(
        len(shares), float(shares.mean()), deviation, float(shares.min()), float(shares.max())
    )


def answers_to_field_interval(answers: Sequence[Answer], key: SurveyKey) -> FieldInterval:
    """Return accuracy's 95 % interval over fields.

    Parameters
    ----------
    answers : sequence of Answer
        Of all raters.
    key : SurveyKey
        It says of which field, and of which group of fields, each real tile is.

    Returns
    -------
    FieldInterval
        By the jackknife that leaves out groups of fields one by one, cut to 0 and 1: trials with
        tiles of one field, well or day may be alike in how hard they are, and all raters see the
        same ones.
    """
    right = _are_right(answers, key)
    shown = [key.trials[one.trial - 1] for one in answers]
    groups, sources = zip(*((one.group or one.source, one.source) for one in shown), strict=True)
    units = names_to_units(groups, sources)

    def accuracy(kept: npt.NDArray[np.bool_]) -> float:
        return float(right[kept[units]].mean())

    count = int(units.max()) + 1
    found = jackknife_estimate(accuracy, [count], CONFIDENCE)
    low, high = np.clip((found.low, found.high), 0, 1)
    return FieldInterval(count, float(low), float(high))


def answers_to_agreement(by_rater: Sequence[Sequence[Answer]], key: SurveyKey) -> Agreement | None:
    """Return the agreement on trials that all raters answered, none for one rater or no trial.

    Chosen positions are compared, not right and wrong: positions are balanced by design, so that
    kappa means the same at any accuracy, while of right and wrong it falls to nothing where nearly
    all are right.
    """
    choices = [{one.trial: one.chosen for one in own} for own in by_rater]
    common = sorted(set.intersection(*(set(own) for own in choices)))
    if len(choices) < 2 or not common:
        return None
    table = np.array([[own[trial] for own in choices] for trial in common])
    return choices_to_agreement(table, key.alternatives)


def score_to_record(score: SurveyScore) -> dict[str, Any]:
    """Return everything as JSON-able values; what is not finite becomes none."""
    return _finite(asdict(score))


def _finite(value: Any) -> Any:
    """Return nested values with none for what JSON cannot say."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
