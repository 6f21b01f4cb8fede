"""Marks that wait for a person are found wherever they stand, and nothing else is."""

from __future__ import annotations

from pipeline_lib.decisions import open_decisions, text_to_open_lines


def test_only_comments_with_the_mark_are_open():
    text = "# Lines with DECIDE wait.\na: DECIDE\n    # DECIDE: which?\nb: 1  # DECIDE: how?\n"
    assert text_to_open_lines(text) == [3, 4]


def test_files_are_named_with_their_lines_and_missing_ones_passed_over(tmp_path):
    open_one, settled = tmp_path / "config.yaml", tmp_path / "samples.tsv"
    open_one.write_text("a: 1\n# DECIDE: which?\n")
    settled.write_bytes("gr\xfc\xdfe\n".encode("latin-1"))
    said = open_decisions([open_one, settled, tmp_path / "gone.tsv"])
    assert said is not None and said.startswith(f"{open_one}:2: marked DECIDE")
    assert "samples.tsv" not in said
    assert open_decisions([settled]) is None
