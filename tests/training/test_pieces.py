"""Pieces of a step give the same gradients in turn and at once."""

from __future__ import annotations

import torch
from torch import nn

from pipeline_lib.training.pieces import pieces_at_once, pieces_in_turn, threads_that_share

WEIGHTS = [nn.Parameter(torch.tensor([1.0, -2.0])), nn.Parameter(torch.tensor(3.0))]
PIECES = (1.0, 2.0, 4.0)


def piece_to_losses(piece: float) -> dict[str, torch.Tensor]:
    """Return a loss that the second weight has no part in."""
    return {"loss": piece * WEIGHTS[0].square().sum()}


def gradients() -> list[torch.Tensor | None]:
    """Return the gradients, and let them go."""
    found = [weight.grad for weight in WEIGHTS]
    for weight in WEIGHTS:
        weight.grad = None
    return found


def test_at_once_they_add_up_to_what_they_are_in_turn() -> None:
    told = pieces_in_turn(piece_to_losses, PIECES, torch.Tensor.backward)
    expected = gradients()
    with threads_that_share(2) as pool:
        assert pieces_at_once(piece_to_losses, PIECES, WEIGHTS, pool) == told
    found = gradients()
    assert torch.equal(found[0], expected[0])
    assert found[1] is expected[1] is None


def test_threads_share_the_cores_out(monkeypatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    with threads_that_share(3) as pool:
        list(pool.map(abs, range(9)))
    assert set(given) == {2}
