"""Three answers in plain words: are the images usable, for what, and what to improve first.

Every answer is the joint one of its parts: one part that fails makes it no, one that cannot be
told makes it unknown, and only if all are good is it yes. So no answer is surer than the interval
that it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.reporting.checks import (
    NOT_MEASURED,
    Check,
    Judgement,
    copies_to_check,
    metrics_to_checks,
    share_to_check,
)
from pipeline_lib.reporting.tables import Measured, metrics_to_measured
from pipeline_lib.reporting.verdicts import (
    HEADLINE_METRIC,
    TUNED_WORDS,
    Copies,
    Nearness,
    differences_to_gain,
    differences_to_nearness,
    differences_to_need,
    metrics_to_differences,
    metrics_to_extractor,
)
from pipeline_lib.reporting.words import in_sentence, sentence

NEARNESS: Mapping[Nearness, Judgement] = {
    "indistinguishable": "yes",
    "close": "yes",
    "clearly different": "no",
    "too few images to say": "cannot say",
}
USABLE: Mapping[Judgement, str] = {
    "yes": "Yes, as far as these images tell",
    "no": "No, not in place of real images",
    "cannot say": "Cannot say yet",
}
LIKENESS: Mapping[Nearness, str] = {
    "indistinguishable": "Real and synthetic images cannot be told apart by the overall distance.",
    "close": "By the overall distance they lie a little farther off than real images do.",
    "clearly different": "By the overall distance they are clearly different from real images.",
    "too few images to say": "There are too few real images to say how near they are.",
}
TRIAL_CHECKS = {
    "object count": "number of objects",
    "object size": "size of objects",
    "noise": "noise",
    "spectrum": "detail",
}
FAULTS = {
    "copies": (
        "The model repeats its training images",
        "Train it for fewer steps, or on more fields.",
    ),
    "pictures": (
        "Many images are no pictures",
        "Lower training.learning_rate, or set training.precision to float32.",
    ),
    "autoencoder": (
        "The autoencoder loses fine detail",
        "Fine-tuning cannot win it back. A base model with a finer autoencoder can, or tiles at a "
        "larger scale, so that a structure has more pixels.",
    ),
    "faint": (
        "Detail of middle size is missing",
        "Try more denoising steps, spacing log_snr of the sampler, or longer training.",
    ),
    "strong": (
        "Detail of middle size is too strong",
        "Try longer training, or a lower guidance.",
    ),
    "spectrum": (
        "The strength of detail is wrong",
        "Look at the power spectrum, at which sizes it leaves that of real images.",
    ),
    "grid": (
        "A grid of 8 pixels shows",
        "It comes from JPEG compression of the raw files or from the autoencoder's decoder.",
    ),
    "object count": (
        "The number of objects is wrong",
        "Train longer, or on fields with the usual number of objects.",
    ),
    "object size": (
        "The size of the objects is wrong",
        "Train longer, and check that all fields have one pixel size.",
    ),
    "noise": (
        "The camera's noise is wrong",
        "Set sampling.camera_noise to measured, and look at the curve of the camera's noise.",
    ),
    "grey values": (
        "The grey values are wrong",
        "Train longer, and look at the histogram of the grey values.",
    ),
    "precision": (
        "Many images are unlike any real one",
        "Train longer, or try more denoising steps.",
    ),
    "recall": (
        "Kinds of real images are missing",
        "Train on more fields, or try a lower guidance.",
    ),
}
FIRST_OF_ALL = ("copies", "pictures")


@dataclass(frozen=True)
class Evidence:
    """What the answers rest on.

    Attributes
    ----------
    nearness : Nearness
        The headline's words.
    need : str
        How many more fields would decide it; empty if unknown.
    checks : mapping
        By name of the fault, with ``copies`` and ``pictures``.
    drawn, unusable : int
        Synthetic images, and those that are no pictures.
    copies : int
        Copies found.
    gain : str
        What fine-tuning did, in a sentence; empty if unknown.
    """

    nearness: Nearness
    need: str
    checks: Mapping[str, Check]
    drawn: int
    unusable: int
    copies: int = 0
    gain: str = ""


@dataclass(frozen=True)
class Answer:
    """A short answer, and what it rests on."""

    judgement: Judgement
    headline: str
    reason: str


@dataclass(frozen=True)
class Purpose:
    """A use, and whether the images serve it."""

    use: str
    judgement: Judgement
    words: str


@dataclass(frozen=True)
class Improvement:
    """What to improve first.

    Attributes
    ----------
    fault : str
        Name of the fault; ``fields``, ``images``, ``distance``, ``nothing`` or ``unknown`` where
        no single fault is sure.
    headline, reason : str
        In words.
    """

    fault: str
    headline: str
    reason: str


@dataclass(frozen=True)
class Answers:
    """Whether the images are usable, for what, and what to improve first."""

    usable: Answer
    purposes: tuple[Purpose, ...]
    improvement: Improvement


def metrics_to_evidence(
    metrics: pd.DataFrame,
    concept: str,
    copies: Copies,
    unusable: Mapping[str, int],
    drawn: int,
    confidence: float,
    trained: str = TUNED_WORDS,
) -> Evidence:
    """Bring together what the answers on a concept rest on.

    Parameters
    ----------
    metrics : DataFrame
        The table of metrics.csv.
    concept : str
        The concept.
    copies : Copies
        Copies found.
    unusable : mapping
        Synthetic images that are no pictures, by status.
    drawn : int
        All synthetic images.
    confidence : float
        Level of the intervals of shares, between 0 and 1.
    trained : str
        What made the model, in words.

    Returns
    -------
    Evidence
        Whatever rows are missing is not measured.
    """
    extractor = metrics_to_extractor(metrics, concept)
    sets = metrics_to_measured(metrics, concept, HEADLINE_METRIC, extractor)
    differences = metrics_to_differences(metrics, concept, extractor)
    bad = sum(unusable.values())
    known = metrics_to_measured(metrics, concept, "copy_share", "none", "train").get("remembered")
    checks = metrics_to_checks(metrics, concept) | {
        "copies": copies_to_check(copies, confidence, known),
        "pictures": share_to_check(bad, drawn, "images that are no pictures", confidence),
    }
    return Evidence(
        _nearness(sets, differences),
        differences_to_need(sets, differences),
        checks,
        drawn,
        bad,
        copies.found,
        differences_to_gain(sets, differences, trained) if "untuned" in differences else "",
    )


def _nearness(sets: Mapping[str, Measured], differences: Mapping[str, Measured]) -> Nearness:
    """Judge as the headline does, which needs the tuned distance itself."""
    if "tuned" not in sets:
        return "too few images to say"
    return differences_to_nearness(sets, differences)


def evidence_to_answers(evidence: Evidence) -> Answers:
    """Answer the three questions.

    Parameters
    ----------
    evidence : Evidence
        What is known.

    Returns
    -------
    Answers
        Free of contradictions: images that are not usable serve no trial, a trial is worth while
        only where they are, and something is to be improved unless all is known and good.
    """
    usable = evidence_to_usable(evidence)
    return Answers(
        usable,
        evidence_to_purposes(evidence, usable.judgement),
        evidence_to_improvement(evidence, usable.judgement),
    )


def join(judgements: Iterable[Judgement]) -> Judgement:
    """Return no if one is no, else cannot say if one cannot be told, else yes.

    Parameters
    ----------
    judgements : iterable of Judgement
        The parts.

    Returns
    -------
    Judgement
        Of the whole.
    """
    parts = set(judgements)
    if "no" in parts:
        return "no"
    return "cannot say" if "cannot say" in parts else "yes"


def _check(evidence: Evidence, name: str) -> Check:
    """Return a check, not measured if it is missing."""
    return evidence.checks.get(name, NOT_MEASURED)


def evidence_to_usable(evidence: Evidence) -> Answer:
    """Say whether the images can be used in place of real ones.

    Parameters
    ----------
    evidence : Evidence
        What is known.

    Returns
    -------
    Answer
        The joint one of nearness, copies, and images that are no pictures.
    """
    parts = [_check(evidence, name).passes for name in FIRST_OF_ALL]
    judgement = join([NEARNESS[evidence.nearness], *parts])
    said = [LIKENESS[evidence.nearness], evidence.gain, *_shares_to_reasons(evidence)]
    return Answer(judgement, USABLE[judgement], " ".join(sentence(one) for one in said if one))


def _shares_to_reasons(evidence: Evidence) -> list[str]:
    """Say what copies and images that are no pictures do to the answer."""
    copies, pictures = (_check(evidence, name) for name in FIRST_OF_ALL)
    reasons = {
        "no": f"more than a tenth of them are copies of training images ({copies.detail})",
        "cannot say": "how many copies of training images there are cannot be told",
        "yes": f"{copies.detail}, which the release holds back" if evidence.copies else "",
    }
    if copies.passes == "cannot say" and copies.detail:
        reasons["cannot say"] = f"too few images tell how many are copies ({copies.detail})"
    said = [reasons[copies.passes]]
    if evidence.unusable:
        said.append(pictures.detail)
    elif pictures.passes == "cannot say":
        said.append("too few images to say how many are no pictures")
    return [words for words in said if words]


def evidence_to_purposes(evidence: Evidence, usable: Judgement) -> tuple[Purpose, ...]:
    """Say what the images serve for.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    usable : Judgement
        Whether they are usable in place of real ones.

    Returns
    -------
    tuple of Purpose
        Testing software, training a detector, measuring biology.
    """
    judged = {words: _check(evidence, name).passes for name, words in TRIAL_CHECKS.items()}
    trial = join([usable, *judged.values()])
    return (
        _software(evidence),
        Purpose("Training a detector", trial, _trial_words(trial, usable, judged)),
        Purpose(
            "Measuring biology",
            "no",
            "the images show what the model learned, not cells.",
        ),
    )


def _software(evidence: Evidence) -> Purpose:
    """Say whether the images serve to test software: there must be some."""
    use = "Testing software"
    if not evidence.drawn:
        return Purpose(use, "cannot say", "there are no images.")
    if evidence.unusable >= evidence.drawn:
        return Purpose(use, "no", "no image is a picture.")
    return Purpose(use, "yes", "any picture of the right size and kind will do.")


def _trial_words(trial: Judgement, usable: Judgement, judged: Mapping[str, Judgement]) -> str:
    """Say why training a detector is worth a trial or not."""
    if trial == "yes":
        return "worth a trial, beside real images and judged on real ones alone."
    bad = [words for words, judgement in judged.items() if judgement == "no"]
    unknown = [words for words, judgement in judged.items() if judgement == "cannot say"]
    if trial == "no" and bad:
        return f"wrong in {_list(bad)}."
    if trial == "no":
        return "the images are not usable in place of real ones."
    if unknown:
        return f"not shown for {_list(unknown)}."
    return "whether the images are usable at all is unknown."


def _list(words: list[str]) -> str:
    """Join words as a sentence does."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def evidence_to_improvement(evidence: Evidence, usable: Judgement) -> Improvement:
    """Say what to improve first.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    usable : Judgement
        Whether the images are usable in place of real ones.

    Returns
    -------
    Improvement
        The largest fault that is sure, copies and images that are no pictures before all. Without
        one: more fields where they would tell more, else more synthetic images, else that no
        single fault explains the distance. Nothing only where every check is known and good.
    """
    faults = [name for name in FAULTS if _check(evidence, name).passes == "no"]
    if faults:
        return _fault_to_improvement(evidence, faults)
    hint = _hint(evidence)
    if evidence.nearness == "too few images to say":
        return _more_real_images(evidence, hint)
    if evidence.nearness == "clearly different":
        return Improvement(
            "distance",
            "No single fault is sure",
            f"Compare the pictures below, and try longer training.{hint}",
        )
    if usable == "cannot say":
        words = "There are too few to say how many are copies or no pictures"
        if _check(evidence, "copies") == NOT_MEASURED:
            words = "Whether images are copies was not measured, which needs held-out tiles"
        return Improvement("images", "More images", f"{words}.{hint}")
    if all(_check(evidence, name).passes == "yes" for name in FAULTS):
        return Improvement("nothing", "Nothing stands out", "All that was checked is good.")
    unknown = "Not everything could be checked, and what could be is good."
    return Improvement("unknown", "Cannot say", f"{unknown}{hint}")


def _fault_to_improvement(evidence: Evidence, faults: list[str]) -> Improvement:
    """Name the largest of some sure faults, and the others in short."""
    first, *others = sorted(
        faults, key=lambda name: (name not in FIRST_OF_ALL, -_size(_check(evidence, name)))
    )
    headline, mend = FAULTS[first]
    also = f" Also: {_in_short(others)}." if others else ""
    return Improvement(first, headline, f"{sentence(_check(evidence, first).detail)} {mend}{also}")


def _in_short(faults: Sequence[str]) -> str:
    """List faults by their headlines, as they stand inside a sentence."""
    return "; ".join(in_sentence(FAULTS[name][0]) for name in faults)


def _size(check: Check) -> float:
    """Return a deviation to sort by; what was not measured is smallest."""
    return -1.0 if math.isnan(check.value) else check.value


def _more_real_images(evidence: Evidence, hint: str) -> Improvement:
    """Ask for more fields, with their number where it is known."""
    if not evidence.need:
        return Improvement("unknown", "Cannot say", f"The overall distance is missing.{hint}")
    return Improvement("fields", "More fields of real images", f"{sentence(evidence.need)}{hint}")


def _hint(evidence: Evidence) -> str:
    """Name the faults that may be chance, the largest first, with a space before them."""
    sizes = {name: _size(_check(evidence, name)) for name in FAULTS}
    faults = [name for name in sorted(sizes, key=lambda name: -sizes[name]) if sizes[name] > 1]
    if not faults:
        return ""
    words = "A hint" if len(faults) == 1 else "Hints"
    return f" {words}, which may be chance: {_in_short(faults)}."
