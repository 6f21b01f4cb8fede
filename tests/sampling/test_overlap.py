from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.sampling.overlap import overlapped

PATIENCE = 20.0  # seconds until a test that hangs fails instead


@given(items=st.lists(st.integers()))
def test_results_come_in_order_each_once(items: list[int]) -> None:
    assert list(overlapped(iter(items), lambda item: item + 1)) == [item + 1 for item in items]


def test_work_goes_on_in_one_other_thread_while_the_next_item_is_made() -> None:
    begun, made, threads = threading.Event(), threading.Event(), set()

    def items() -> Iterator[int]:
        yield 0
        assert begun.wait(PATIENCE)  # the first is worked on while the second is made
        made.set()
        yield 1

    def work(item: int) -> int:
        threads.add(threading.get_ident())
        begun.set()
        assert made.wait(PATIENCE)
        return item

    assert list(overlapped(items(), work)) == [0, 1]
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


def test_one_item_waits_at_most() -> None:
    unfinished, most = 0, 0

    def items() -> Iterator[int]:
        nonlocal unfinished, most
        for item in range(5):
            unfinished += 1
            most = max(most, unfinished)
            yield item

    def work(item: int) -> None:
        nonlocal unfinished
        unfinished -= 1

    list(overlapped(items(), work))
    assert most <= 2


@pytest.mark.parametrize("last", [0, 1, 4])
def test_a_fault_of_the_work_is_the_callers_and_no_later_item_is_worked_on(last: int) -> None:
    worked: list[int] = []

    def work(item: int) -> None:
        worked.append(item)
        if item == last:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        list(overlapped(range(5), work))
    assert worked == list(range(last + 1))
    assert threading.active_count() == 1 or worker_threads() == 0


def worker_threads() -> int:
    """Return how many threads of pools live."""
    return sum("ThreadPoolExecutor" in thread.name for thread in threading.enumerate())


def test_a_fault_of_the_making_waits_for_the_work() -> None:
    worked: list[int] = []

    def items() -> Iterator[int]:
        yield 0
        raise MemoryError

    with pytest.raises(MemoryError):
        list(overlapped(items(), worked.append))
    assert worked == [0]
    assert worker_threads() == 0
