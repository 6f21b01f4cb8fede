"""How tests are shared out among processes (``--dist loadfile``), and for how long one may run."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A limit of time would fail examples wherever others keep the cores busy.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

CHAIN, CHAINS = "test_chain.py", "workflow"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that run a whole chain of jobs, and end with those that change it.

    The chain takes minutes, in which one process waits and the others go on with what needs none.
    """
    items.sort(key=lambda item: (CHAINS in item.path.parts) - 2 * (item.path.name == CHAIN))
