from __future__ import annotations

import pytest

from pipeline_lib.imaging.choices import even_choice


@pytest.mark.parametrize(
    ("count", "chosen", "found"), [(100, 3, [0, 50, 99]), (2, 12, [0, 1]), (0, 12, [])]
)
def test_indices_are_spread_evenly(count, chosen, found):
    assert even_choice(count, chosen).tolist() == found
