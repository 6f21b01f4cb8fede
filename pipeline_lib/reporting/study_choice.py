"""Which run of a study to use: the nearest one that repeats no training images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_lib.reporting.study_lines import Line, headline_of
from pipeline_lib.reporting.study_repeats import lines_to_repeats
from pipeline_lib.reporting.tables import metrics_to_measured, number
from pipeline_lib.reporting.words import in_sentence

APART = "the runs have other held-out tiles, so that their distances do not say which to use."
ALONE = "Runs that differ by less than chance may stand in another order next time."


@dataclass(frozen=True)
class Candidate:
    """A run of a concept.

    Attributes
    ----------
    run : str
        Its name.
    distance : float
        Its headline distance.
    copies : float
        Share of its images that are copies of training images, NaN where it is unknown.
    """

    run: str
    distance: float
    copies: float


def lines_to_choice_sentences(lines: Sequence[Line], extractor: str, headline: str) -> list[str]:
    """Say of each concept which run to use, where there is more than one and they can be compared.

    Of settings that were repeated with other seeds the luckiest run says nothing: their means are
    told elsewhere.

    Parameters
    ----------
    lines : sequence of Line
        Of all concepts.
    extractor, headline : str
        Whose headline distance counts, and its name.

    Returns
    -------
    list of str
        A sentence for each concept, and what they rest on.
    """
    sentences = []
    for concept in dict.fromkeys(line.concept for line in lines):
        own = [line for line in lines if line.concept == concept and _is_measured(line, extractor)]
        if len(own) < 2 or any(len(one.values) > 1 for one in lines_to_repeats(own, extractor)):
            continue
        if len({line.held_out for line in own}) > 1:
            sentences.append(f"Concept {concept}: {APART}")
            continue
        candidates = [_candidate(line, extractor) for line in own]
        sentences.append(candidates_to_sentence(concept, headline, candidates))
    return [*sentences, ALONE] if sentences else []


def _is_measured(line: Line, extractor: str) -> bool:
    """Say whether a line has the headline distance."""
    return "tuned" in headline_of(line, extractor)


def _candidate(line: Line, extractor: str) -> Candidate:
    """Return what is known of a line's run."""
    copies = metrics_to_measured(line.metrics, line.concept, "copy_share", "none", "train")
    share = copies["tuned"].value if "tuned" in copies else math.nan
    return Candidate(line.run, headline_of(line, extractor)["tuned"].value, share)


def candidates_to_sentence(concept: str, headline: str, candidates: Sequence[Candidate]) -> str:
    """Say which run to use.

    Parameters
    ----------
    concept, headline : str
        Names of the concept and the distance.
    candidates : sequence of Candidate
        At least two.

    Returns
    -------
    str
        The nearest run without copies; where a nearer one has some, that it has.
    """
    nearest = min(candidates, key=lambda one: one.distance)
    said = (
        f"Concept {concept}: run {nearest.run} has the smallest {in_sentence(headline)}, "
        f"{number(nearest.distance)}, of {len(candidates)} runs"
    )
    if math.isnan(nearest.copies):
        return f"{said}; whether it copies training images was not found out."
    if not nearest.copies:
        return f"{said}, and no copy of a training image was found: use this one."
    clean = [one for one in candidates if one.copies == 0]
    said += f", but {number(100 * nearest.copies)} % of its images are copies of training images"
    if not clean:
        return f"{said}, and no run is known to have none: train less, or on more images."
    other = min(clean, key=lambda one: one.distance)
    return f"{said}: use run {other.run}, the nearest without a copy ({number(other.distance)})."
