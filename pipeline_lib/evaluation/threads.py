"""Work of NumPy shared out among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_info, threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count() -> int:
    """Return on how many threads products of matrices are done."""
    libraries = [one for one in threadpool_info() if one["user_api"] == "blas"]
    return max((one["num_threads"] for one in libraries), default=1)


def spread_over_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do some work for each item, on as many threads as products of matrices are given.

    Parameters
    ----------
    work : callable
        Of which most is done within NumPy.
    items : iterable
        What it is done for.

    Returns
    -------
    list
        Results in the items' order. Each thread multiplies by itself: two threads that wait for
        each other at every small product are slower than one where others use the processor.
    """
    with ThreadPoolExecutor(thread_count()) as pool, threadpool_limits(1, "blas"):
        return list(pool.map(work, items))
