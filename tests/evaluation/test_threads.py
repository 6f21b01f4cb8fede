from __future__ import annotations

import pytest

from pipeline_lib.evaluation.threads import spread_over_threads


def test_results_come_in_the_order_of_the_items():
    assert spread_over_threads(lambda number: number**2, range(50)) == [n**2 for n in range(50)]


def test_what_fails_in_a_thread_is_told():
    with pytest.raises(ZeroDivisionError):
        spread_over_threads(lambda number: 1 / number, range(3))
