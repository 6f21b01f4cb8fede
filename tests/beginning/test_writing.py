from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.beginning.choosing import Choice
from pipeline_lib.beginning.command import begin
from pipeline_lib.beginning.writing import _said, _scalar
from pipeline_lib.study.loading import load_study
from tests.beginning.folders import lay_photographs

ROOT = Path(__file__).resolve().parents[2]
UNPRINTABLE = ("Cs",)  # half a letter, which no file can hold


@pytest.mark.parametrize("name", ["2024-05-01", "007", "no", "null"])
def test_a_folder_whose_name_yaml_would_take_for_something_else(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    begin(lay_photographs(tmp_path / name), Path("place"), False, ROOT)
    config = yaml.safe_load(Path("place/config.yaml").read_text())
    assert (config["project"], [*config["concepts"]]) == (name, [name])
    assert [*load_study(config, Path(), ROOT).runs] == [name]


@given(
    st.sampled_from(
        ["Off", "no", "null", "~", "BF ", "2024-13-45", "1:30", "BF #2", "a: b", "\x85"]
    )
    | st.text(st.characters(exclude_categories=UNPRINTABLE), max_size=30)
)
def test_every_text_is_read_as_it_was_written(text):
    (line,) = _said("", "channel", Choice(text, ""))
    assert yaml.safe_load(line) == {"channel": text}
    assert yaml.safe_load(f"{_scalar(text)}: 1") == {text: 1}


def test_plain_words_and_numbers_stand_without_quotes():
    assert [_scalar(one) for one in ("budding yeast", "best_focus", 3)] == [
        "budding yeast",
        "best_focus",
        "3",
    ]
