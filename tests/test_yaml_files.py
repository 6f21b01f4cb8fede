from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.settings.base import UserError
from pipeline_lib.yaml_files import read_mapping

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc: #", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcd"), values, max_size=4))
def test_what_is_right_is_read_as_yaml_reads_it(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True))
    assert read_mapping(path) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "`a` stands in line 1.*and again.*line 3"),
        ("a:\n  b: 1\n  b: 2\n", "`b` stands in line 2.*line 3"),
        ("a: [1\nb: 2\n", "no YAML.*line 2"),
        ("- a\n- b\n", "found list, needed names"),
        ("just words", "found str, needed names"),
        ("a: !!python/object:os.system {}\n", "no YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        read_mapping(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("latin-1", "byte 19, in line 2, is not UTF-8; save the file again"),
        ("utf-16", "this is UTF-16, .*save the file again with the encoding `UTF-8`"),
    ],
)
def test_other_encodings_are_refused(tmp_path: Path, encoding: str, words: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("project: a\ntitle: Zürich".encode(encoding))
    with pytest.raises(UserError, match=words):
        read_mapping(path)


def test_the_mark_of_an_encoding_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("title: Zürich", encoding="utf-8-sig")
    assert read_mapping(path) == {"title": "Zürich"}


def test_merged_keys_may_be_overruled_and_an_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\n")
    assert read_mapping(path)["b"] == {"x": 3, "y": 2}
    path.write_text("# nothing\n")
    assert read_mapping(path) == {}
