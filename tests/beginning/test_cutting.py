from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.beginning.cutting import span_to_cut
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.tiling import TilingSettings


@given(
    st.none() | st.floats(3, 400),
    st.sampled_from([128, 512]),
    st.integers(32, 2200),
    st.integers(1, 40),
)
def test_tiles_fit_field_base_model_and_settings(span, base, side, number):
    cut = span_to_cut(span, base, side, [(side, side)] * number)
    TilingSettings(size=cut.size, stride=cut.stride, scale=cut.scale)
    assert cut.size % 8 == 0 and 32 <= cut.size <= base
    assert round(side * cut.scale) >= cut.size
    assert 0 < cut.scale <= 1


@given(st.floats(20, 200))
def test_about_five_cells_lie_across_a_tile_of_a_large_field(span):
    cut = span_to_cut(span, 128, 2048, [(2048, 2048)])
    assert 4 <= cut.raw / span <= 6.5


def test_few_fields_are_cut_closer():
    assert span_to_cut(20, 128, 512, [(512, 512)]).stride == 32
    assert span_to_cut(20, 128, 512, [(512, 512)] * 20).stride == 128


def test_a_field_that_is_too_small_is_refused():
    with pytest.raises(UserError, match="has 31 pixels, a tile needs 32"):
        span_to_cut(10, 128, 31, [(31, 31)])
