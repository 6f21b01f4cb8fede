"""From the pieces of a step to gradients: one after the other, or several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import torch
from torch import nn

from pipeline_lib.training.objective import LOSS, Losses

PieceLosses = Callable[[Any], Losses]


def threads_that_share(number: int) -> Executor:
    """Return threads that share this one's cores out equally, at least one each."""
    cores = max(1, torch.get_num_threads() // number)
    return ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(cores,))


def pieces_in_turn(
    work: PieceLosses, pieces: Sequence[Any], backward: Callable[[torch.Tensor], None]
) -> Losses:
    """Work on pieces one after the other and add their gradients up in the weights.

    Parameters
    ----------
    work : callable
        Returns the losses of a piece.
    pieces : sequence
        All pieces of a step.
    backward : callable
        Adds the gradients of a loss to the weights'.

    Returns
    -------
    dict of str to Tensor
        Sums over the pieces, without gradients.
    """
    results = []
    for piece in pieces:
        losses = work(piece)
        backward(losses[LOSS])
        results.append(losses)
    return _sums(results)


def pieces_at_once(
    work: PieceLosses, pieces: Sequence[Any], weights: Sequence[nn.Parameter], pool: Executor
) -> Losses:
    """Work on pieces in threads and add their gradients up in the pieces' order.

    One piece computes while another waits for Python or for memory. Where other programs use the
    cores too, this is far steadier than all cores on each piece.

    Parameters
    ----------
    work : callable
        Returns the losses of a piece; changes nothing that others read.
    pieces : sequence
        All pieces of a step.
    weights : sequence of torch.nn.Parameter
        Given their gradients; those that no piece uses are given none.
    pool : concurrent.futures.Executor
        Of `threads_that_share`.

    Returns
    -------
    dict of str to Tensor
        Sums over the pieces, without gradients.
    """

    def piece_to_gradients(piece: Any) -> tuple[Losses, list[torch.Tensor | None]]:
        losses = work(piece)
        return losses, list(torch.autograd.grad(losses[LOSS], weights, allow_unused=True))

    results = list(pool.map(piece_to_gradients, pieces))
    (_, total), *others = results
    used = [number for number, gradient in enumerate(total) if gradient is not None]
    for _, gradients in others:
        torch._foreach_add_(*([one[number] for number in used] for one in (total, gradients)))
    for weight, gradient in zip(weights, total, strict=True):
        weight.grad = gradient
    return _sums([losses for losses, _ in results])


def _sums(results: Sequence[Losses]) -> Losses:
    """Return the sum of each loss over the pieces."""
    return {name: sum(losses[name].detach() for losses in results) for name in results[0]}
