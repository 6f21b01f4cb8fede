"""Scores in words: the table that the terminal shows, and what it means."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline_lib.survey.scores import Score, SurveyScore

HEAD = (
    *("rater", "right", "accuracy", "95 % exact", "p", "d'", "95 %"),
    *("+-5 points", "+-10 points", "seconds"),
)
SIGNIFICANT = 0.05


def score_to_text(score: SurveyScore) -> str:
    """Return a survey's score as text for the terminal.

    Parameters
    ----------
    score : SurveyScore
        From `answers_to_survey_score`.

    Returns
    -------
    str
        A table with a row for each rater and one for all, and sentences.
    """
    rows = [HEAD, *map(_cells, score.raters), _cells(score.pooled)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    head = (
        f"{score.survey}: {score.trials} trials of {score.alternatives} pictures, chance "
        f"{score.pooled.chance:.0%}"
    )
    return "\n".join([head, "", *lines, "", *score_to_sentences(score)])


def _cells(score: Score) -> tuple[str, ...]:
    """Return the cells of a row."""
    return (
        score.rater,
        f"{score.correct}/{score.answered}",
        f"{score.accuracy:.1%}",
        f"{score.low:.1%} to {score.high:.1%}",
        _p_to_text(score.p_value),
        f"{score.d_prime:.2f}{'*' if score.d_corrected else ''}",
        f"{score.d_low:.2f} to {score.d_high:.2f}",
        f"{score.needed_5} ({score.needed_5_worst})",
        f"{score.needed_10} ({score.needed_10_worst})",
        f"{score.median_seconds:.1f}",
    )


def _p_to_text(p_value: float) -> str:
    """Return a p value with three digits behind the point."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def score_to_sentences(score: SurveyScore) -> list[str]:
    """Say what the table shows and rests on.

    Parameters
    ----------
    score : SurveyScore
        From `answers_to_survey_score`.

    Returns
    -------
    list of str
        The result first, then raters, fields and what limits the survey.
    """
    said = [_result(score.pooled), _raters(score), _fields(score), _needed()]
    if any(one.d_corrected for one in (*score.raters, score.pooled)):
        said.append("* all or none right: d' counts half an answer as wrong or right.")
    unanswered = [
        f"{one.rater} answered {one.answered} of {score.trials} trials."
        for one in score.raters
        if one.answered < score.trials
    ]
    return [*said, *unanswered, *score.notes]


def _result(pooled: Score) -> str:
    """Say how the accuracy stands to chance."""
    if pooled.p_value >= SIGNIFICANT:
        return (
            "Not told from guessing at this number of judgements; an accuracy of up to "
            f"{pooled.high:.0%} is possible."
        )
    if pooled.accuracy > pooled.chance:
        return (
            f"Real pictures are found more often than by guessing ({pooled.accuracy:.0%} instead "
            f"of {pooled.chance:.0%})."
        )
    return (
        f"Real pictures are found less often than by guessing ({pooled.accuracy:.0%} instead of "
        f"{pooled.chance:.0%}): raters see a difference, and take synthetic ones for real."
    )


def _raters(score: SurveyScore) -> str:
    """Say how raters differ and agree."""
    spread, agreement = score.spread, score.agreement
    if spread.raters == 1:
        return "One rater: nothing is known about others."
    said = (
        f"{spread.raters} raters: accuracy {spread.least:.1%} to {spread.largest:.1%}, mean "
        f"{spread.mean:.1%}, standard deviation {100 * spread.deviation:.1f} points; they saw the "
        "same trials, so that the row `(all)` is surer on paper than in truth."
    )
    if agreement is None:
        return f"{said} No trial was answered by all of them: no agreement."
    kappa = "not defined" if math.isnan(agreement.kappa) else f"{agreement.kappa:.2f}"
    return (
        f"{said} Agreement on {agreement.trials} trials that all answered: Fleiss' kappa {kappa}, "
        f"{agreement.observed:.0%} of pairs choose alike."
    )


def _fields(score: SurveyScore) -> str:
    """Say what the accuracy is over independent fields."""
    fields = score.fields
    several = "one field" if fields.fields == 1 else f"{fields.fields} fields"
    if math.isnan(fields.low):
        return (
            f"The real tiles come from {several}: intervals are over judgements and say nothing of "
            "other fields (an interval over fields needs five)."
        )
    return f"Interval over the {several} of the real tiles: {fields.low:.1%} to {fields.high:.1%}."


def _needed() -> str:
    """Explain the columns of judgements to come."""
    return (
        "+-5 and +-10 points: independent judgements still needed for a 95 % interval so narrow, "
        "at this accuracy (and at worst)."
    )


def scores_to_rows(score: SurveyScore) -> Sequence[Score]:
    """Return the rows of the table: raters by name, then all."""
    return [*score.raters, score.pooled]
