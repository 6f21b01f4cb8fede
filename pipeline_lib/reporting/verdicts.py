"""From the table of metrics to a few sentences: how near, how sure, how many copies."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.reporting.tables import Measured, flags_of, metrics_to_measured, number
from pipeline_lib.reporting.words import NO_EXTRACTOR, flags_to_notes, in_sentence, metric_to_words

HEADLINE_METRIC = "kernel_distance"
SMALL_SET = 50
HALF = 0.5
TEXT_WIDTH = 88


@dataclass(frozen=True)
class Copies:
    """What the search for copies of training tiles found: numbers of synthetic images."""

    found: int
    compared: int
    near: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a reader shall know before anything else."""

    headline: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def metrics_to_extractor(metrics: pd.DataFrame, concept: str) -> str:
    """Return the extractor that the headline distance of a concept was measured with."""
    own = metrics[(metrics["concept"] == concept) & (metrics["metric"] == HEADLINE_METRIC)]
    named = own.loc[~own["extractor"].isin(NO_EXTRACTOR), "extractor"]
    return str(named.iloc[0]) if len(named) else ""


def metrics_to_verdict(
    metrics: pd.DataFrame,
    concept: str,
    copies: Copies,
    unusable: Mapping[str, int] | None = None,
    checkpoint: str = "",
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
        sets_to_headline(sets, name),
        tuple(sentences),
        tuple(dict.fromkeys(warning for warning in warnings if warning)),
    )


def _tuned_flags(metrics: pd.DataFrame, concept: str) -> list[str]:
    """Say why there is no headline distance of the tuned model."""
    wanted = {"concept": concept, "metric": HEADLINE_METRIC, "set": "tuned"}
    rows = metrics
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return flags_to_notes(frozenset().union(*map(flags_of, rows["flags"])))


def sets_to_headline(sets: Mapping[str, Measured], name: str) -> str:
    """Say in one sentence whether fine-tuning brought the images nearer to real ones.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.
    name : str
        What the distance is called.

    Returns
    -------
    str
        The sentence; it names no number.
    """
    if "tuned" not in sets:
        return f"The {name} could not be measured, so this page cannot say how near the images are."
    if "untuned" not in sets:
        return "Without the untuned base, this page cannot say what fine-tuning did."
    ratio = tuned_to_untuned(sets)
    if ratio is None:
        return "The untuned base is already as near to real tiles as this distance can tell."
    if ratio >= 1:
        return "Fine-tuning did not bring the synthetic images nearer to real ones."
    if ratio > HALF:
        nearer = "Fine-tuning brought the synthetic images nearer to real ones, but less than twice"
        return f"{nearer} as near."
    if "floor" in sets and sets["tuned"].value <= sets["floor"].value:
        return (
            "The synthetic images lie as near to held-out real tiles as the real training tiles do."
        )
    return "Fine-tuning brought the synthetic images at least twice as near to real ones."


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
    """Say how many synthetic images are copies of training tiles."""
    if copies.compared == 0:
        return "No synthetic image was compared with the training tiles, so copies are unknown."
    if copies.unknown:
        return "Copies of training tiles are unknown: no held-out tile sets the threshold."
    near = "" if not copies.near else f" {copies.near:,} more are near in features alone."
    if copies.found == 0:
        return f"Copies of training tiles: none found among {copies.compared:,} images.{near}"
    share = number(100 * copies.found / copies.compared, 2)
    found = f"{copies.found:,} of {copies.compared:,} images ({share} %)"
    return f"Copies of training tiles: {found}.{near}"


def sets_to_warnings(sets: Mapping[str, Measured]) -> list[str]:
    """Warn of what makes the headline distance unsure.

    Parameters
    ----------
    sets : mapping
        The headline distance by set.

    Returns
    -------
    list of str
        Sentences: the flags of the tuned value, small sets, overlapping intervals.
    """
    if "tuned" not in sets:
        return []
    tuned = sets["tuned"]
    warnings = flags_to_notes(tuned.flags)
    if not tuned.has_interval and not tuned.flags:
        warnings.append("No interval could be given: differences may be chance.")
    for count, what in ((tuned.n_reference, "held-out real"), (tuned.n_synthetic, "synthetic")):
        if count < SMALL_SET:
            images = "image" if count == 1 else "images"
            warnings.append(f"Small set: {count} {what} {images}; distances are rough.")
    if "untuned" in sets and _overlap(tuned, sets["untuned"]):
        warnings.append("The intervals of tuned and untuned overlap: the gain may be chance.")
    return warnings


def _overlap(first: Measured, second: Measured) -> bool:
    """Whether both have intervals and these share a value."""
    if not (first.has_interval and second.has_interval):
        return False
    return first.low <= second.high and second.low <= first.high


def _unusable_to_warnings(unusable: Mapping[str, int]) -> list[str]:
    """Warn of synthetic images that are no pictures."""
    counts = [f"{count:,} {status}" for status, count in sorted(unusable.items()) if count]
    return [f"Some synthetic images are no pictures: {', '.join(counts)}."] if counts else []


def losses_to_checkpoint_note(validation_losses: Sequence[float]) -> str:
    """Say which checkpoint was used and what the choice rests on.

    Parameters
    ----------
    validation_losses : sequence of float
        The column ``validation_loss`` of training.csv, NaN where it was not measured.

    Returns
    -------
    str
        One sentence.
    """
    if any(math.isfinite(loss) for loss in validation_losses):
        return (
            "The last checkpoint was used. The validation loss was recorded, but not used to "
            "choose."
        )
    return "The last checkpoint was used: there were no validation images to choose one by."


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
