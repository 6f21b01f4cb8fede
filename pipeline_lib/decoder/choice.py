"""Which decoder of a training goes on.

A decoder has seen the few tiles it is tuned on hundreds of times at the end. So its averaged
weights are judged on validation tiles every so many steps, and one step is chosen as in every
training (`training.judgement`): the last, unless an earlier one is better by more than chance. If
that is no better on the validation tiles than the base model's own decoder, the latter stays.
Without validation tiles the last step goes on, and this is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pipeline_lib.decoder.objective import VALIDATED, TunedDecoder
from pipeline_lib.training.judgement import Choice, choose

Losses = dict[str, float]
NOT_BETTER = "no better than the base model's"


@dataclass(frozen=True)
class Chosen:
    """The chosen step, and the losses of whole tiles with the base model's decoder and with its."""

    choice: Choice
    before: Losses
    after: Losses

    def in_words(self) -> str:
        """Say which step was chosen, and why."""
        words = f"kept the decoder of step {self.choice.step} of {self.choice.last}"
        if VALIDATED not in self.after:
            return f"{words} unjudged: there are no validation tiles"
        before, after = (losses[VALIDATED] for losses in (self.before, self.after))
        return (
            f"{words} ({self.choice.reason}): loss on validation tiles {after:.5f}, the base "
            f"model's {before:.5f}"
        )


def put_chosen_in_place(
    objective: TunedDecoder, averages: Mapping[str, torch.Tensor], folder: Path
) -> Chosen:
    """Give a decoder the weights that go on.

    Parameters
    ----------
    objective : TunedDecoder
        At the end of its training; its weights are changed.
    averages : mapping
        The averaged weights of the end, by name.
    folder : Path
        State folder with the scores.

    Returns
    -------
    Chosen
        Step 0 is the base model's decoder.
    """
    choice, best = choose(folder, objective.settings.steps)
    before = _losses_with(objective, objective.base)
    after = _losses_with(objective, averages if best is None else best)
    if VALIDATED in after and not after[VALIDATED] < before[VALIDATED]:
        choice = replace(choice, step=0, reason=NOT_BETTER)
        after = _losses_with(objective, objective.base)
    return Chosen(choice, before, after)


@torch.no_grad()
def _losses_with(objective: TunedDecoder, weights: Mapping[str, torch.Tensor]) -> Losses:
    """Put weights in place and return the losses of whole tiles."""
    for name, weight in objective.groups["decoder"].weights.items():
        weight.copy_(weights[name])
    return objective.losses()
