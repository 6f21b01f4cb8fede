"""From the table of metrics to a few sentences: how near, how sure, how many copies."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline_lib.evaluation.intervals import MINIMUM_UNITS
from pipeline_lib.reporting.tables import (
    SETS_TAKEN_AWAY,
    Measured,
    flags_of,
    metrics_to_measured,
    number,
)
from pipeline_lib.reporting.words import NO_EXTRACTOR, flags_to_notes, in_sentence, metric_to_words

HEADLINE_METRIC, DIFFERENCE_METRIC = "kernel_distance", "kernel_distance_difference"
SMALL_SET = 50
HALF, CLOSE_SHARE = 0.5, 0.25
MOST_FIELDS = 1000
TEXT_WIDTH = 88
TUNED_WORDS, SCRATCH_WORDS = "Fine-tuning", "Training from scratch"
Nearness = Literal["indistinguishable", "close", "clearly different", "too few images to say"]


@dataclass(frozen=True)
class Copies:
    """What the search for copies of training images found: numbers of synthetic images."""

    found: int
    compared: int
    resembling: int = 0
    near: int = 0
    empty: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a reader shall know before anything else."""

    headline: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def metrics_to_extractor(metrics: pd.DataFrame, concept: str) -> str:
    """Return the extractor of a concept's headline distance; of several the table's first."""
    own = metrics[(metrics["concept"] == concept) & (metrics["metric"] == HEADLINE_METRIC)]
    named = own.loc[~own["extractor"].isin(NO_EXTRACTOR), "extractor"]
    return str(named.iloc[0]) if len(named) else ""


def metrics_to_verdict(
    metrics: pd.DataFrame,
    concept: str,
    copies: Copies,
    unusable: Mapping[str, int] | None = None,
    checkpoint: str = "",
    trained: str = TUNED_WORDS,
) -> Verdict:
    """Judge one concept of a run.

    Parameters
    ----------
    metrics : DataFrame
        The table of metrics.csv.
    concept : str
        The concept.
    copies : Copies
        Copies found among the synthetic images.
    unusable : mapping, optional
        Synthetic images that are no pictures, by status (``blank``, ``not finite``).
    checkpoint : str
        Warning about the choice of the checkpoint, empty for none.
    trained : str
        What made the model, in words.

    Returns
    -------
    Verdict
        Headline, sentences and warnings.
    """
    extractor = metrics_to_extractor(metrics, concept)
    sets = metrics_to_measured(metrics, concept, HEADLINE_METRIC, extractor)
    name = in_sentence(metric_to_words(HEADLINE_METRIC, extractor).label)
    sentences = [*distances_to_sentences(sets, name), copies_to_sentence(copies)]
    missing = [] if "tuned" in sets else _tuned_flags(metrics, concept)
    warnings = [
        *sets_to_warnings(sets),
        *missing,
        *_unusable_to_warnings(unusable or {}),
        checkpoint,
    ]
    return Verdict(
        sets_to_headline(sets, metrics_to_differences(metrics, concept, extractor), name, trained),
        tuple(sentences),
        tuple(dict.fromkeys(warning for warning in warnings if warning)),
    )


def metrics_to_differences(
    metrics: pd.DataFrame, concept: str, extractor: str
) -> dict[str, Measured]:
    """Return how much farther the tuned set lies than others, by the other set's name."""
    found = {
        name: metrics_to_measured(metrics, concept, DIFFERENCE_METRIC, extractor, name)
        for name in SETS_TAKEN_AWAY
    }
    return {name: sets["tuned"] for name, sets in found.items() if "tuned" in sets}


def _tuned_flags(metrics: pd.DataFrame, concept: str) -> list[str]:
    """Say why there is no headline distance of the tuned model."""
    wanted = {"concept": concept, "metric": HEADLINE_METRIC, "set": "tuned"}
    rows = metrics
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return flags_to_notes(frozenset().union(*map(flags_of, rows["flags"])))


def sets_to_headline(
    sets: Mapping[str, Measured],
    differences: Mapping[str, Measured],
    name: str,
    trained: str = TUNED_WORDS,
) -> str:
    """Say how near the synthetic images are, and what fine-tuning did.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.
    differences : mapping
        Tuned less ``floor``, and less ``untuned``.
    name : str
        What the distance is called.
    trained : str
        What made the model, in words.

    Returns
    -------
    str
        Two sentences, each resting on the interval of a difference.
    """
    if "tuned" not in sets:
        return f"The {name} could not be measured, so this page cannot say how near the images are."
    gain = differences_to_gain(sets, differences, trained)
    return f"{_nearness_to_sentence(sets, differences)} {gain}"


def differences_to_nearness(
    sets: Mapping[str, Measured], differences: Mapping[str, Measured]
) -> Nearness:
    """Judge how near synthetic images are to real ones beside real training tiles.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.
    differences : mapping
        Tuned less ``floor``.

    Returns
    -------
    Nearness
        ``clearly different`` where the interval lies beyond a quarter of the way from the floor to
        the untuned base, ``close`` where it lies on this side of that and above 0,
        ``indistinguishable`` where it begins at or below 0, and else ``too few images to say``.
        Without an untuned base farther than the floor nothing is close.
    """
    difference = differences.get("floor")
    if difference is None or difference.low is None or difference.high is None:
        return "too few images to say"
    margin = _margin(sets)
    if difference.low > margin:
        return "clearly different"
    if difference.high > margin:
        return "too few images to say"
    return "indistinguishable" if difference.low <= 0 else "close"


def _margin(sets: Mapping[str, Measured]) -> float:
    """Return how much farther than the floor is still close."""
    if "untuned" not in sets or "floor" not in sets:
        return 0.0
    return max(CLOSE_SHARE * (sets["untuned"].value - sets["floor"].value), 0.0)


def _nearness_to_sentence(sets: Mapping[str, Measured], differences: Mapping[str, Measured]) -> str:
    """Say how near the synthetic images are to real ones."""
    nearness = differences_to_nearness(sets, differences)
    if nearness == "indistinguishable":
        fields = differences["floor"].fields
        return (
            f"Indistinguishable at this number of images: {fields} fields cannot tell the "
            "synthetic images from more real ones by this distance."
        )
    if nearness == "close":
        return (
            "Close: the synthetic images lie a little farther from held-out real tiles than real "
            "training tiles do, at most a quarter of the untuned base's way."
        )
    if nearness == "clearly different":
        return (
            "Clearly different: the synthetic images lie farther from held-out real tiles than "
            "real training tiles do."
        )
    words = "Too few images to say how near to real ones the synthetic images are"
    need = differences_to_need(sets, differences)
    return f"{words}: {need}" if need else f"{words}."


def differences_to_need(sets: Mapping[str, Measured], differences: Mapping[str, Measured]) -> str:
    """Say how many more fields would tell how near the synthetic images are.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.
    differences : mapping
        Tuned less ``floor``.

    Returns
    -------
    str
        A sentence without a capital; empty where the floor was not measured.
    """
    if "floor" not in differences:
        return ""
    difference = differences["floor"]
    return _more_fields(difference, abs(difference.value - _margin(sets)))


def differences_to_gain(
    sets: Mapping[str, Measured],
    differences: Mapping[str, Measured],
    trained: str = TUNED_WORDS,
) -> str:
    """Say what fine-tuning did.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.
    differences : mapping
        Tuned less ``untuned``.
    trained : str
        What made the model, in words.

    Returns
    -------
    str
        One sentence, no surer than the interval of the difference.
    """
    difference = differences.get("untuned")
    if difference is None:
        return f"Without the untuned base, this page cannot say what {in_sentence(trained)} did."
    if difference.low is None or difference.high is None:
        direction = "nearer" if difference.value < 0 else "no nearer"
        return f"{trained} seems to have brought them {direction}, but this may be chance."
    if difference.high < 0:
        twice = "untuned" in sets and difference.high <= -HALF * sets["untuned"].value < 0
        return f"{trained} brought them {'at least twice as near' if twice else 'nearer'}."
    if difference.low > 0:
        return f"{trained} took them farther away."
    return (
        f"Whether {in_sentence(trained)} brought them nearer cannot be told: "
        f"{_more_fields(difference, abs(difference.value))}"
    )


def fields_to_decide(difference: Measured, margin: float) -> int | None:
    """Return about how many more fields would make an interval narrower than a margin.

    Parameters
    ----------
    difference : Measured
        With its interval.
    margin : float
        Half the width that would decide.

    Returns
    -------
    int or None
        At least 1; none where no number would do, or more than a thousand.
    """
    if margin <= 0 or difference.low is None or difference.high is None:
        return None
    half = (difference.high - difference.low) / 2
    ratio = min(half / margin, MOST_FIELDS)
    more = math.ceil(difference.fields * ratio**2) - difference.fields
    return max(more, 1) if more <= MOST_FIELDS else None


def _more_fields(difference: Measured, margin: float) -> str:
    """Say how many fields there are, and how many more would help."""
    fields = f"{difference.fields} field{'' if difference.fields == 1 else 's'}"
    if not difference.has_interval:
        if difference.fields >= MINIMUM_UNITS:
            return "no interval could be given; the notes of the table say why."
        return (
            f"a verdict needs {MINIMUM_UNITS} independent fields in training and {MINIMUM_UNITS} "
            f"held out; the side with fewer has {fields}."
        )
    more = fields_to_decide(difference, margin)
    if more is None:
        return f"{fields} of real images do not tell, nor would a thousand."
    images = "image of another field" if more == 1 else "images of other fields"
    return f"it rests on {fields} of real images; about {more} more {images} would decide it."


def tuned_to_untuned(sets: Mapping[str, Measured]) -> float | None:
    """Return the distance left by fine-tuning as a share, none where the base is already at 0."""
    if "tuned" not in sets or "untuned" not in sets or sets["untuned"].value <= 0:
        return None
    return max(sets["tuned"].value, 0.0) / sets["untuned"].value


def distances_to_sentences(sets: Mapping[str, Measured], name: str) -> list[str]:
    """Say how far tuned, untuned, floor and VAE's cost lie from held-out real tiles.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.
    name : str
        What the distance is called.

    Returns
    -------
    list of str
        At most two sentences; none where the tuned distance is missing.
    """
    if "tuned" not in sets:
        return []
    tuned = sets["tuned"]
    first = (
        f"{name[0].upper()}{name[1:]} of {tuned.n_synthetic:,} synthetic images to "
        f"{tuned.n_reference:,} held-out real tiles: {_with_interval(tuned)}"
    )
    if "untuned" in sets:
        first += f"; of the untuned base: {_with_interval(sets['untuned'])}"
        ratio = tuned_to_untuned(sets)
        first += "" if ratio is None else f". Tuned over untuned: {number(ratio, 2)}"
    return [f"{first}.", *_limits_to_sentences(sets)]


def _with_interval(measured: Measured) -> str:
    """Write a value with its interval in words."""
    if not measured.has_interval:
        return number(measured.value)
    interval = f"{number(measured.low)} to {number(measured.high)}"
    return f"{number(measured.value)} (interval {interval})"


def _limits_to_sentences(sets: Mapping[str, Measured]) -> list[str]:
    """Say where floor and VAE's cost lie, and how far above them the synthetic images are."""
    tuned, parts = sets["tuned"].value, []
    if "floor" in sets:
        parts.append(f"real training tiles lie at {number(sets['floor'].value)} (floor)")
    if "vae" in sets:
        cost = number(sets["vae"].value)
        parts.append(f"the held-out tiles, sent through the VAE and back, at {cost} (VAE's cost)")
    if not parts:
        return []
    limit = max(sets[key].value for key in ("floor", "vae") if key in sets)
    if tuned <= limit:
        ending = "The synthetic images lie no farther than that."
    elif limit > 0:
        ending = f"The synthetic images lie {number(tuned / limit, 2)} times as far as that."
    else:
        ending = "The synthetic images lie farther than that."
    words = " and ".join(parts)
    which = "the larger of the two" if len(parts) == 2 else "that"
    return [f"{words[0].upper()}{words[1:]}. {ending.replace('that', which)}"]


def copies_to_sentence(copies: Copies) -> str:
    """Say how many synthetic images are copies of training images."""
    if copies.compared == 0:
        return "No synthetic image was compared with the training images: copies are unknown."
    if copies.unknown:
        return "Copies of training images are unknown: no held-out tile sets the threshold."
    if copies.found == 0:
        first = f"Copies of training images: none found among {copies.compared:,} images."
    else:
        share = number(100 * copies.found / copies.compared, 2)
        first = f"Copies of training images: {copies.found:,} of {copies.compared:,} ({share} %)."
    others = {
        "more like a training image than held-out tiles are, and no copies": copies.resembling,
        "near in features alone": copies.near,
        "empty, so that nothing could be recognised in them": copies.empty,
    }
    said = [f"{count:,} {words}" for words, count in others.items() if count]
    return f"{first} Further: {'; '.join(said)}." if said else first


def sets_to_warnings(sets: Mapping[str, Measured]) -> list[str]:
    """Warn of what makes the headline distance unsure.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.

    Returns
    -------
    list of str
        Sentences: the flags of the tuned value, a small set of synthetic images. How few real
        images are is counted in fields, and is among the flags.
    """
    if "tuned" not in sets:
        return []
    tuned = sets["tuned"]
    warnings = flags_to_notes(tuned.flags)
    if not tuned.has_interval and not tuned.flags:
        warnings.append("No interval could be given: differences may be chance.")
    if tuned.n_synthetic < SMALL_SET:
        images = "image" if tuned.n_synthetic == 1 else "images"
        warnings.append(f"Small set: {tuned.n_synthetic} synthetic {images}; distances are rough.")
    return warnings


def _unusable_to_warnings(unusable: Mapping[str, int]) -> list[str]:
    """Warn of synthetic images that are no pictures."""
    counts = [f"{count:,} {status}" for status, count in sorted(unusable.items()) if count]
    return [f"Some synthetic images are no pictures: {', '.join(counts)}."] if counts else []


def verdicts_to_text(title: str, run: str, verdicts: Mapping[str, Verdict]) -> str:
    """Write the verdicts for a terminal.

    Parameters
    ----------
    title, run : str
        Titles.
    verdicts : mapping
        Verdict by concept.

    Returns
    -------
    str
        Wrapped lines, with an empty line between concepts and a line break at the end.
    """
    blocks = [f"{title}: run {run}"]
    for concept, verdict in verdicts.items():
        lines = [verdict.headline, *verdict.sentences, *(f"! {text}" for text in verdict.warnings)]
        if len(verdicts) > 1:
            lines.insert(0, f"[{concept}]")
        blocks.append("\n".join(_wrap(line) for line in lines))
    return "\n\n".join(blocks) + "\n"


def _wrap(line: str) -> str:
    """Break a line; what follows a warning's mark is indented."""
    return textwrap.fill(line, TEXT_WIDTH, subsequent_indent="  " if line.startswith("!") else "")
