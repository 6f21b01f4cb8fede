"""How the tests are shared out where several processes run them (``--dist loadfile``)."""

from __future__ import annotations

import pytest

CHAIN, CHAINS = "test_chain.py", "workflow"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that run a whole chain of jobs, and end with those that change it.

    The chain takes minutes, in which one process waits and the others go on with what needs none.
    """
    items.sort(key=lambda item: (CHAINS in item.path.parts) - 2 * (item.path.name == CHAIN))
