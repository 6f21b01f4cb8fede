"""How the tests are shared out where several processes run them (``pytest -n 2``)."""

from __future__ import annotations

import pytest

CHAINS = "workflow"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests together, and begin with those that wait for whole chains of jobs.

    Files share fixtures that take seconds; the tests of the workflow share one of minutes.
    """
    items.sort(key=lambda item: CHAINS not in item.path.parts)
    for item in items:
        group = CHAINS if CHAINS in item.path.parts else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
