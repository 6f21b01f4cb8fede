"""What is found out about a training at some of its steps, and which step's weights go on.

An objective that can say how good its weights are gives each judged step a `Score`. The averaged
weights of the best step are kept in the state's folder, with the scores of all steps, and at the
end one step is chosen. All of it is read from the folder, so that a training that was cut chooses
as an unbroken one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    import torch

SCORES, BEST = "scores.json", "best-averages.safetensors"
CHANCE = 0.05  # how often noise alone may make another step than the last the chosen one


@dataclass(frozen=True)
class Score:
    """How good the weights of a step are.

    Attributes
    ----------
    value : float
        Smaller is better.
    left_out : tuple of tuple of float
        The value with each independent unit left out in turn, a tuple for each sample (of
        pictures, of fields) whose units are the same at every step. None: the value has no error.
    faults : float
        What forbids to take the step, as far as others have less of it: a step with fewer faults
        goes before one with more, whatever their values. 0 is a step without.
    """

    value: float
    left_out: tuple[tuple[float, ...], ...] = ()
    faults: float = 0.0

    @property
    def rank(self) -> tuple[float, float]:
        """Return what steps are put in order by, the best first."""
        return self.faults, self.value


@dataclass(frozen=True)
class Judgement:
    """What an objective says of its weights.

    Attributes
    ----------
    figures : dict
        For the history, by column.
    score : Score, optional
        Where steps can be compared.
    pictures : mapping of ndarray
        Stacks of grey pictures (N, Y, X) by name, which stand for the step's previews.
    """

    figures: dict[str, float]
    score: Score | None = None
    pictures: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """The step whose averaged weights go on, and why.

    Attributes
    ----------
    step, last : int
        The chosen step, and the last.
    judged : int
        Steps that had a score.
    reason : {"nearer", "fewer faults", "last is best", "within chance", "not judged"}
        `nearer`: its value is better than the last step's by more than chance; `within chance`: an
        earlier step's is better, but not by that much.
    gain, margin : float
        By how much the best step's value is better than the last one's, and what that has to
        exceed; 0 where the last is best, or the values were not compared.
    """

    step: int
    last: int
    judged: int
    reason: str
    gain: float = 0.0
    margin: float = 0.0


def values_to_score(values: npt.ArrayLike, faults: float = 0.0) -> Score:
    """Return the score of a mean over independent units.

    Parameters
    ----------
    values : array
        (N,) one a unit, the same units at every step, N at least 1; smaller is better.
    faults : float
        As of `Score`.

    Returns
    -------
    Score
        With the mean of all but each unit in turn; without error for a single unit.
    """
    each = np.asarray(values, np.float64)
    if len(each) < 2:
        return Score(float(each.mean()), faults=faults)
    left_out = (each.sum() - each) / (len(each) - 1)
    return Score(float(each.mean()), (tuple(left_out.tolist()),), faults)


def scores_to_error(first: Score, second: Score) -> float:
    """Return the standard error of the difference of two scores' values, by the jackknife.

    Parameters
    ----------
    first, second : Score
        Of one training: the same units were left out, in the same order.

    Returns
    -------
    float
        0 where the values have no error. What both share, such as noise and validation tiles,
        falls out of it.

    Notes
    -----
    The variances of the samples add (Arvesen 1969, Ann. Math. Stat. 40, 2076).
    """
    return math.sqrt(sum(_variances(first, second)))


def _variances(first: Score, second: Score) -> list[float]:
    """Return the jackknife's variance of the difference that each sample of units brings."""
    pairs = zip(first.left_out, second.left_out, strict=True)
    return [(len(one) - 1) * float(np.subtract(one, other).var()) for one, other in pairs]


def scores_to_margin(first: Score, second: Score, chance: float) -> float:
    """Return what the difference of two values exceeds by chance alone as rarely as is told.

    Parameters
    ----------
    first, second : Score
        As for `scores_to_error`.
    chance : float
        How rarely, between 0 and 1, to one side.

    Returns
    -------
    float
        The quantile of Student's distribution times the error, with Welch's degrees of freedom.
    """
    from scipy.stats import t as student

    variances = np.array(_variances(first, second))
    if not variances.sum() > 0:
        return 0.0
    counts = np.array([len(part) for part in first.left_out])
    freedom = variances.sum() ** 2 / (variances**2 / (counts - 1)).sum()
    return float(student.ppf(1 - chance, freedom) * np.sqrt(variances.sum()))


def score_to_error(score: Score) -> float:
    """Return the standard error of a score's value, by the jackknife; 0 where it has none."""
    still = Score(0.0, tuple((0.0,) * len(part) for part in score.left_out))
    return scores_to_error(score, still)


def scores_to_choice(scores: Mapping[int, Score], last: int) -> Choice:
    """Choose the step that goes on.

    Parameters
    ----------
    scores : mapping
        By step.
    last : int
        The last step of the training; it is chosen where it has no score.

    Returns
    -------
    Choice
        The last step, unless another one has fewer faults, or as few and a value that is better by
        more than chance explains: by more than noise alone would make any other step seem better in
        5 % of all trainings (`scores_to_margin`, shared out among the steps after Bonferroni).
    """
    if last not in scores:
        return Choice(last, last, len(scores), "not judged")
    best = best_step(scores)
    judged, own, final = len(scores), scores[best], scores[last]
    if best == last:
        return Choice(last, last, judged, "last is best")
    if own.faults < final.faults:
        return Choice(best, last, judged, "fewer faults")
    gain = final.value - own.value
    margin = scores_to_margin(own, final, CHANCE / (judged - 1))
    if gain > margin:
        return Choice(best, last, judged, "nearer", gain, margin)
    return Choice(last, last, judged, "within chance", gain, margin)


def best_step(scores: Mapping[int, Score]) -> int:
    """Return the step of the best score; of equal ones the later."""
    return min(scores, key=lambda step: (scores[step].rank, -step))


def keep_score(folder: Path, step: int, score: Score, averages: Mapping[str, torch.Tensor]) -> None:
    """Write a step's score down, and its averaged weights if no step was better.

    Parameters
    ----------
    folder : Path
        State folder.
    step : int
        Steps that were made; what is known of later ones is of another course, and goes.
    score : Score
        Of the step.
    averages : mapping
        The averaged weights, by name.
    """
    from safetensors.torch import save_file

    scores = {k: one for k, one in read_scores(folder).items() if k < step} | {step: score}
    if best_step(scores) == step:  # before the scores: they never name weights that are not there
        with atomic_path(folder / BEST) as beside:
            whole = {name: weight.detach().contiguous() for name, weight in averages.items()}
            save_file(whole, beside, {"step": str(step)})
    write_json(folder / SCORES, {str(k): asdict(one) for k, one in scores.items()})


def read_scores(folder: Path) -> dict[int, Score]:
    """Return the scores of a training by step, none before the first."""
    if not (folder / SCORES).exists():
        return {}
    return {int(step): _score(told) for step, told in read_json(folder / SCORES).items()}


def _score(told: Mapping[str, Any]) -> Score:
    """Return a score as it was written."""
    left_out: Sequence[Sequence[float]] = told["left_out"]
    return Score(told["value"], tuple(tuple(part) for part in left_out), told["faults"])


def read_best(folder: Path) -> tuple[int, dict[str, torch.Tensor]]:
    """Return the step whose averaged weights are kept, and these by name."""
    from safetensors import safe_open

    with safe_open(folder / BEST, framework="pt") as file:
        step = int(file.metadata()["step"])
        return step, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def forget_scores(folder: Path) -> None:
    """Remove scores and weights that are kept for a choice."""
    for name in (SCORES, BEST):
        (folder / name).unlink(missing_ok=True)


def choose(folder: Path, last: int) -> tuple[Choice, dict[str, torch.Tensor] | None]:
    """Choose the step that goes on, from what a state folder holds.

    Parameters
    ----------
    folder : Path
        State folder of a training that has come to its end.
    last : int
        The last step.

    Returns
    -------
    choice : Choice
        Of `scores_to_choice`.
    averages : dict of torch.Tensor, or None
        The averaged weights of the chosen step by name, None where it is the last.
    """
    choice = scores_to_choice(read_scores(folder), last)
    if choice.step == last:
        return choice, None
    step, averages = read_best(folder)
    if step != choice.step:  # a machine that repeats nothing exactly, after a broken checkpoint
        return Choice(last, last, choice.judged, "not judged"), None
    return choice, averages
