"""How good a DreamBooth training is at a step: losses on fixed samples, and pictures of fixed keys.

What compares pictures with real ones stands above this package and is handed in, as `Yardsticks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.models.denoising import draw_batches
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.pictures import latents_to_images, rgb_to_grey
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.sampling import SamplerSettings
from pipeline_lib.training.judgement import Judgement, Score

Pictures = npt.NDArray[np.uint8]
Features = npt.NDArray[np.floating]
LeftOut = tuple[tuple[float, ...], ...]
DRAWN_STEPS = 10
DRAWN_AT_ONCE, PIXELS_AT_ONCE = 16, 2**20  # the optimizer's state lies in the same memory
BINS = 4  # quarters of the time steps, from the least noise to the most
LOSS_NAMES = ("train_loss", "validation_loss")
MEASURED = (
    *("distance", "distance_error", "floor_distance", "floor_low", "floor_high"),
    *("training_similarity", "validation_similarity", "copies", "diversity", "drift"),
)


def bin_columns(name: str) -> tuple[str, ...]:
    """Return the columns of a loss by quarter of the time steps, the least noise first."""
    return tuple(f"{name}_quarter_{number + 1}" for number in range(BINS))


COLUMNS = (
    *(column for name in LOSS_NAMES for column in (name, *bin_columns(name))),
    *MEASURED,
)


class Draws(Protocol):
    """What draws a training's own pictures."""

    @property
    def device_type(self) -> str:
        """Kind of device that it draws on."""
        ...

    def draw(self, prompt: str, count: int) -> Pictures:
        """Return grey pictures (count, Y, X) of a prompt, or a concept."""
        ...


class Measured(Protocol):
    """What was found out about the pictures of one concept."""

    @property
    def figures(self) -> dict[str, float]:
        """Figures by name, some of `MEASURED`; ``distance`` where there is one."""
        ...

    @property
    def left_out(self) -> LeftOut:
        """The distance with each unit left out in turn; none without a distance."""
        ...

    @property
    def excess_copies(self) -> int:
        """Copies of training images beyond what chance explains."""
        ...


@dataclass(frozen=True)
class Yardsticks:
    """What judges pictures.

    Attributes
    ----------
    features : callable
        From grey pictures (N, Y, X) to (N, D).
    drift : callable
        From features of the class's pictures now, and of those from equal keys before the training,
        to figures.
    concepts : mapping of callable
        By concept: from its pictures and their features to what was found out.
    class_prompts : mapping of str
        By concept; none where the model knows no class.
    """

    features: Callable[[Pictures], Features]
    drift: Callable[[Features, Features], dict[str, float]]
    concepts: Mapping[str, Callable[[Pictures, Features], Measured]]
    class_prompts: Mapping[str, str]


@dataclass(frozen=True)
class Drawing:
    """How the training's own pictures are drawn: from keys that never change.

    Attributes
    ----------
    model : BaseModel
        With the weights that are in place when `draw` is called.
    size : int
        Side in pixels.
    seed : int
        Of the training.
    guidance : float
        Scale of classifier-free guidance.
    dtype : torch.dtype
        What the UNet computes in.
    """

    model: BaseModel
    size: int
    seed: int
    guidance: float
    dtype: torch.dtype = torch.float32

    @property
    def device_type(self) -> str:
        """Kind of device that it draws on."""
        return self.model.device.type

    def draw(self, prompt: str, count: int) -> Pictures:
        """Return grey pictures (count, Y, X); the first are the same for every count."""
        keys = [key_of("preview", self.seed, prompt, number) for number in range(count)]
        sampler = SamplerSettings(steps=DRAWN_STEPS, guidance=self.guidance)
        kind, low = self.model.device.type, self.dtype != torch.float32
        with torch.no_grad(), torch.autocast(kind, self.dtype if low else None, enabled=low):
            at_once = max(1, min(DRAWN_AT_ONCE, PIXELS_AT_ONCE // self.size**2))
            batches = draw_batches(self.model, prompt, keys, sampler, self.size, at_once)
            latents = torch.cat(list(batches))
        # Half precision would cost grey levels in the autoencoder.
        with torch.autocast(kind, enabled=False):
            return rgb_to_grey(latents_to_images(self.model, latents))


class PictureJudge:
    """Compares what a model draws with real tiles, and the class with what it was.

    Parameters
    ----------
    drawing : Drawing
        Its model is untrained as yet: the class as it was is drawn now.
    prompts : mapping of str
        By concept, with the identifier; what `drawing` draws the concept by.
    yardsticks : Yardsticks
        By which pictures are judged.
    count : int
        Pictures of each concept, at least 4; of each class half as many.
    """

    def __init__(
        self, drawing: Draws, prompts: Mapping[str, str], yardsticks: Yardsticks, count: int
    ) -> None:
        self.drawing, self.prompts, self.yardsticks = drawing, prompts, yardsticks
        self.count = count
        self._before = self._class_features()

    def judge(self) -> Judgement:
        """Return figures, score and pictures of the weights that are in place."""
        pictures = {
            name: self.drawing.draw(text, self.count) for name, text in self.prompts.items()
        }
        found = [
            self.yardsticks.concepts[name](stack, self._features(stack))
            for name, stack in pictures.items()
        ]
        now = self._class_features()
        drifts = [self.yardsticks.drift(now[text], before) for text, before in self._before.items()]
        figures = mean_figures([*(one.figures for one in found), *drifts])
        return Judgement(figures, measured_to_score(found), pictures)

    def _class_features(self) -> dict[str, Any]:
        """Return features of pictures of each class, by its prompt."""
        classes = self.yardsticks.class_prompts
        prompts = dict.fromkeys(classes[name] for name in self.prompts if name in classes)
        draw = self.drawing.draw
        return {prompt: self._features(draw(prompt, self.count // 2)) for prompt in prompts}

    def _features(self, pictures: Pictures) -> Features:
        """Return features in full precision, as real tiles have them, whatever is trained in."""
        with torch.autocast(self.drawing.device_type, enabled=False):
            return self.yardsticks.features(pictures)


def losses_to_judgement(
    losses: dict[str, float], judge: PictureJudge | None, shown: int
) -> Judgement:
    """Return losses and, where there is a judge of pictures, what it says.

    Parameters
    ----------
    losses : dict
        On fixed samples.
    judge : PictureJudge or None
        None where losses alone are wanted.
    shown : int
        Pictures of each concept that are kept as previews.

    Returns
    -------
    Judgement
        Of the weights that are in place.
    """
    if judge is None:
        return Judgement(losses)
    said = judge.judge()
    pictures = {name: stack[:shown] for name, stack in said.pictures.items()}
    return Judgement(losses | said.figures, said.score, pictures)


def mean_figures(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each figure over those that have it."""
    names = dict.fromkeys(name for one in figures for name in one)
    return {name: float(np.mean([one[name] for one in figures if name in one])) for name in names}


def measured_to_score(found: Sequence[Measured]) -> Score | None:
    """Return the score of a step: the mean distance of its concepts, never better for copies.

    Parameters
    ----------
    found : sequence of Measured
        One a concept.

    Returns
    -------
    Score or None
        Its value is the mean distance to validation tiles, which training does not see. Its faults
        are the copies of training images beyond what chance explains: of two steps, the one with
        fewer goes first, whatever their distances. None where no concept has a distance.
    """
    known = [one for one in found if "distance" in one.figures]
    if not known:
        return None
    distances = [one.figures["distance"] for one in known]
    value = float(np.mean(distances))
    left_out = tuple(
        tuple(value + (left - distance) / len(known) for left in part)
        for one, distance in zip(known, distances, strict=True)
        for part in one.left_out
    )
    return Score(value, left_out, float(sum(one.excess_copies for one in found)))


def fixed_losses_to_figures(
    losses: Mapping[str, Sequence[Sequence[float]]],
) -> dict[str, float]:
    """Return the means over the concepts of losses on fixed samples.

    Parameters
    ----------
    losses : mapping
        Of each of `LOSS_NAMES`, and for each concept that has such tiles: the loss of all time
        steps, then those of their quarters.

    Returns
    -------
    dict
        By column; nothing of what no concept has.
    """
    figures: dict[str, float] = {}
    for name, each in losses.items():
        if each:
            means = np.mean(each, axis=0).tolist()
            figures |= dict(zip((name, *bin_columns(name)), means, strict=True))
    return figures


def errors_to_bins(
    errors: npt.NDArray[np.floating], quantiles: npt.NDArray[np.floating]
) -> list[float]:
    """Return the mean error in each quarter of the time steps.

    Parameters
    ----------
    errors : ndarray
        (N,) of fixed samples.
    quantiles : ndarray
        (N,) where on the time steps each lies, 0 to 1; as many in each quarter.

    Returns
    -------
    list of float
        Their mean is the mean of all errors.
    """
    bins = np.minimum((np.asarray(quantiles) * BINS).astype(int), BINS - 1)
    return [float(np.mean(errors[bins == number])) for number in range(BINS)]
