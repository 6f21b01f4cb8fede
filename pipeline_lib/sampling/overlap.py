"""Working on what was drawn while the next is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def overlapped(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[Result]:
    """Work on each item in a thread while the next one is made.

    At most one item waits, so that memory does not grow where the work is slower.

    Parameters
    ----------
    items : iterable
        What is made in the caller's thread, such as batches of latents.
    work : callable
        Is given one item at a time, in order, in the one other thread.

    Yields
    ------
    object
        What the work returned, in the items' order.

    Raises
    ------
    Exception
        What making or work raised. The other thread has then ended.
    """
    with ThreadPoolExecutor(max_workers=1) as worker:
        waiting: Future[Result] | None = None
        for item in items:
            if waiting is not None:
                yield waiting.result()
            waiting = worker.submit(work, item)
        if waiting is not None:
            yield waiting.result()
