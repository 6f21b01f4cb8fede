from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.sheets import RunRow, SampleRow
from pipeline_lib.sheets import read_sheet


def write(folder: Path, text: str) -> Path:
    path = folder / "sheet.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_carry_their_line_and_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "# note\nconcept\tpath\taccept\n\ncells\ta.tif\tyes\ncells\tb.tif\n")
    rows = read_sheet(path, SampleRow)
    assert [row.value.path for row in rows] == ["a.tif", "b.tif"]
    assert [row.value.accept for row in rows] == [True, False]
    assert rows[0].where == f"{path}: row 4"


def test_extra_columns_are_returned_as_text(tmp_path: Path) -> None:
    path = write(tmp_path, "run\tbase\tdatasets\tsteps\nr\tb\td\t7\n")
    assert read_sheet(path, RunRow, ("steps",))[0].extra == {"steps": "7"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concept\tpath\n", "found no row"),
        ("", "found no row"),
        ("concept\tpath\tcolor\nc\ta\tb\n", "unknown column `color`"),
        ("concept\tpath\tregoin\nc\ta\tb\n", r"unknown column `regoin`; did you mean `region`\?"),
        ("concept,path\nc,a\n", "columns are separated by tabs"),
        ("concept\tconcept\tpath\nc\tc\ta\n", "named twice"),
        ("concept\tgroup\nc\tg\n", "column `path` is missing"),
        ("concept\tpath\nc\ta\tb\n", "row 2: found 3 cells for 2 columns"),
        ("concept\tpath\trole\nc\ta\ttraining\n", "row 2: role: .*found 'training'"),
        ("concept\tpath\tregion\nc\ta\t5:5,0:9\n", "row 2: region: region 5:5,0:9 is empty"),
        ("concept\tpath\tregion\nc\ta\tleft\n", "row 2: region: "),
        ("concept\tpath\tpixel_size_um\nc\ta\t0\n", "row 2: pixel_size_um: .*greater than 0"),
        ("concept\tpath\tpixel_size_um\nc\ta\t0,6\n", "row 2: pixel_size_um: .*number"),
        ("concept\tpath\n\ta\n", "row 2: concept: "),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_sheet(write(tmp_path, text), SampleRow)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*absent\.tsv"):
        read_sheet(tmp_path / "absent.tsv", SampleRow)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="abc\t\n#:,0 é\"'", max_size=80))
def test_any_text_is_read_or_refused_in_words(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "concept\tpath\tregion\n" + text)
    try:
        rows = read_sheet(path, SampleRow)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert all(row.value.path for row in rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_sheets_of_spreadsheets_are_read_whatever_their_unicode(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "sheet.tsv"
    path.write_bytes("concept\tpath\r\ncells\tZürich µm.tif\r\n".encode(encoding))
    assert read_sheet(path, SampleRow)[0].value.path == "Zürich µm.tif"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("concept\tpath\ncells\tZürich.tif\n".encode("latin-1"), "row 2: .*not UTF-8; save"),
        ("concept\tpath\nc\ta\n".encode("utf-16-le"), "no text in UTF-8"),
        (b"\xff\xfec\x00o", "no|unknown|found"),
        (b"\xff\xfec", "not UTF-16"),
        (b"PK\x03\x04\x00\x00", "no text in UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "sheet.tsv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_sheet(path, SampleRow)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_words(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("sheet") / "sheet.tsv"
    path.write_bytes(b"concept\tpath\n" + content)
    try:
        assert read_sheet(path, SampleRow)
    except UserError as error:
        assert str(path) in str(error)
