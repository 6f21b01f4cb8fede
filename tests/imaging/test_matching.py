from __future__ import annotations

import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline_lib.imaging.matching import pattern_to_files
from pipeline_lib.settings.base import UserError

LETTERS = string.ascii_letters + string.digits + "[]!*?-_ .()'&#,~"
SUFFIXES = ("tif", "tiff", "TIF", "TIFF", "Tif", "png", "PNG", "jpg", "JPEG", "txt")


def lay(folder: Path, *names: str) -> Path:
    """Make empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@settings(max_examples=60)
@given(
    stem=st.text(LETTERS, min_size=1, max_size=12).filter(lambda text: text[0] not in ".~"),
    suffix=st.sampled_from(SUFFIXES),
)
@example("img[1]", "tif")
@example("*", "tif")
@example("[!a]", "tif")
def test_a_file_matches_itself_whatever_lies_beside_it(stem, suffix):
    with tempfile.TemporaryDirectory() as name:
        folder = lay(Path(name), f"{stem}.{suffix}", "img1.tif", "a.tif", "b.tiff")
        assert pattern_to_files(f"{stem}.{suffix}", folder) == [f"{stem}.{suffix}"]


@settings(max_examples=40)
@given(
    st.sets(
        st.tuples(
            st.text(string.ascii_lowercase, min_size=1, max_size=4), st.sampled_from(SUFFIXES)
        ),
        min_size=1,
    ),
    st.sampled_from(SUFFIXES),
)
def test_a_suffix_finds_all_its_spellings_and_no_other(files, asked):
    kinds = {"tif": "tiff", "tiff": "tiff", "jpg": "jpeg", "jpeg": "jpeg"}
    kind = kinds.get(asked.lower(), asked.lower())
    wanted = sorted(
        f"{stem}.{suffix}"
        for stem, suffix in files
        if kinds.get(suffix.lower(), suffix.lower()) == kind
    )
    with tempfile.TemporaryDirectory() as name:
        folder = lay(Path(name), *(f"{stem}.{suffix}" for stem, suffix in files))
        if wanted:
            assert pattern_to_files(f"*.{asked}", folder) == wanted
        else:
            with pytest.raises(UserError, match="no file matches"):
                pattern_to_files(f"*.{asked}", folder)


def test_patterns_of_a_shell_keep_their_meaning(tmp_path):
    lay(tmp_path, "a1.tif", "a2.tif", "b1.tif", "x/c1.TIF", "x/y/d1.ome.tiff", ".hidden.tif")
    assert pattern_to_files("[ab]1.tif", tmp_path) == ["a1.tif", "b1.tif"]
    assert pattern_to_files("a?.tif", tmp_path) == ["a1.tif", "a2.tif"]
    assert pattern_to_files("**/c*.tif", tmp_path) == ["x/c1.TIF"]
    assert pattern_to_files("x/y/*.ome.tif", tmp_path) == ["x/y/d1.ome.tiff"]
    assert pattern_to_files(f"{tmp_path}/b*.tif", tmp_path) == [f"{tmp_path}/b1.tif"]


def test_brackets_that_find_nothing_as_letters_stand_for_themselves(tmp_path):
    lay(tmp_path, "plate[1]/a.tif", "plate[1]/b.TIF")
    assert pattern_to_files("plate[1]/*.tif", tmp_path) == ["plate[1]/a.tif", "plate[1]/b.TIF"]


@pytest.mark.parametrize("name", ["{x}.tif", "day{1}/a.tif", "{source}.tif", "a{1,2}.tif"])
def test_braces_are_refused_before_snakemake_fills_them_in(tmp_path, name):
    lay(tmp_path, name)
    for pattern in (name, name.replace("}", "?")):
        with pytest.raises(UserError, match=r"braces in its path, which Snakemake .*; rename"):
            pattern_to_files(pattern, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("*.tif", r"lie 3 \.png, 1 \.csv; `\*\.png` would find the \.png files"),
        ("inner", r"it is a folder; lie 2 \.TIF; `inner/\*\.tif` would find"),
        ("outer/*.tif", r"lie no files, in its folders 1 \.jpg; `outer/\*/\*\.jpg` would find"),
        ("notes/*.tif", r"lie 1 without suffix, and no TIFF, PNG or JPEG"),
        ("gone/*.tif", r"there is no folder .*gone"),
        ("empty/*.tif", r"in .*empty lies no file"),
    ],
)
def test_a_pattern_without_files_says_what_lies_there(tmp_path, pattern, words):
    lay(tmp_path, "a.png", "b.png", "c.png", "d.csv", "inner/a.TIF", "inner/b.TIF")
    lay(tmp_path, "outer/x/a.jpg", "notes/README")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=words):
        pattern_to_files(pattern, tmp_path)
