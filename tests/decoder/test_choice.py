from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from pipeline_lib.decoder.choice import put_chosen_in_place
from pipeline_lib.decoder.objective import TunedDecoder
from pipeline_lib.training.judgement import keep_score
from tests.decoder.planted import DecoderBench
from tests.decoder.test_objective import make_objective

Benches = Callable[[str], DecoderBench]


def weights(objective: TunedDecoder, gain: float) -> dict[str, torch.Tensor]:
    """Return the base's weights with another bias of the last layer: another error."""
    changed = dict(objective.base)
    changed["decoder.conv_out.bias"] = changed["decoder.conv_out.bias"] + gain
    return changed


def judged(objective: TunedDecoder, folder: Path, step: int, gain: float) -> float:
    put(objective, weights(objective, gain))
    keep_score(folder, step, objective.judge().score, weights(objective, gain))
    return objective.losses()["validation_loss"]


@torch.no_grad()
def put(objective: TunedDecoder, chosen: dict[str, torch.Tensor]) -> None:
    for name, weight in objective.groups["decoder"].weights.items():
        weight.copy_(chosen[name])


def best_gain(objective: TunedDecoder) -> float:
    """Return a change of the last bias that betters the base's error on validation tiles."""

    def loss(gain: float) -> float:
        put(objective, weights(objective, gain))
        return objective.losses()["validation_loss"]

    return min((-0.6, -0.3, -0.1, 0.1, 0.3, 0.6), key=loss)


def test_an_earlier_step_that_was_clearly_better_goes_on(
    decoder_benches: Benches, tmp_path: Path
) -> None:
    objective = make_objective(decoder_benches("tiny"), steps=4)
    gain = best_gain(objective)
    early, late = (judged(objective, tmp_path, step, g) for step, g in ((2, gain), (4, 5.0)))
    chosen = put_chosen_in_place(objective, weights(objective, 5.0), tmp_path)
    assert early < late
    assert (chosen.choice.step, chosen.after["validation_loss"]) == (2, early)
    assert chosen.before["validation_loss"] > early
    assert objective.losses() == chosen.after


def test_the_base_decoder_stays_where_no_step_is_better(
    decoder_benches: Benches, tmp_path: Path
) -> None:
    objective = make_objective(decoder_benches("tiny"), steps=4)
    for step in (2, 4):
        judged(objective, tmp_path, step, 3.0 + step)
    chosen = put_chosen_in_place(objective, weights(objective, 7.0), tmp_path)
    assert chosen.choice.step == 0
    assert chosen.after == chosen.before == objective.losses()
    assert "no better than the base model's" in chosen.in_words()
