from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_lib.imaging.splitting import SPLIT_COLUMNS, Split, SplitRow, split_to_table
from pipeline_lib.imaging.tables import read_split, read_table, write_table, write_tiles
from pipeline_lib.imaging.tiling import Tile

words = st.text(st.characters(exclude_categories=["C"]), max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds(SplitRow, source=words, group=words, role=words, caption=words)))
def test_a_split_comes_back(tmp_path, rows):
    table = split_to_table(Split(tuple(rows), False, ()))
    write_table(tmp_path / "split.tsv", SPLIT_COLUMNS, table)
    assert read_split(tmp_path / "split.tsv") == rows


def test_tiles_are_numbered_and_what_is_unknown_stays_empty(tmp_path):
    tile = Tile("a", 2, "well 1", 10.5, 0.0, 0.5, None, 1 / 3, 'said "so"\tthere')
    write_tiles(tmp_path / "train.tsv", [tile, tile])
    rows = read_table(tmp_path / "train.tsv")
    assert [row["tile"] for row in rows] == ["0", "1"]
    assert rows[1] == {
        "tile": "1", "source": "a", "plane": "2", "group": "well 1", "y": "10.5", "x": "0",
        "scale": "0.5", "pixel_size_um": "", "foreground": "0.333333",
        "caption": 'said "so"\tthere',
    }  # fmt: skip


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    write_tiles(tmp_path / "validation.tsv", [])
    head = (tmp_path / "validation.tsv").read_text()
    assert head == ("tile\tsource\tplane\tgroup\ty\tx\tscale\tpixel_size_um\tforeground\tcaption\n")
    assert read_table(tmp_path / "validation.tsv") == []
