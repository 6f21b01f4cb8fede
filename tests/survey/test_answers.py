from __future__ import annotations

import codecs
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.settings.base import UserError
from pipeline_lib.survey.answers import COLUMNS, Answer, bytes_to_answers, merge_answers
from tests.survey.small_survey import answer, answers_to_cells, cells_to_text, make_survey

KEY, _ = make_survey(8)
OTHER, _ = make_survey(8, seed=1)
RIGHT = [True, False, True, True]
ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8-sig": lambda text: text.encode("utf-8-sig"),
    "cp1252": lambda text: text.encode("cp1252"),
    "utf-16-le": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16-be": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
}


def read(content, key=KEY):
    return bytes_to_answers(content, "a.csv", key)


def rows(rater="Anna", right=RIGHT, key=KEY):
    return answers_to_cells(answer(key, rater, right), key)


def refused(content, said):
    with pytest.raises(UserError, match=said) as caught:
        read(content)
    assert "a.csv" in str(caught.value)


@given(
    rater=st.sampled_from(["Anna", "Zoë M. Müller-2", "r_1"]),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    columns=st.permutations(COLUMNS),
    order=st.permutations(range(4)),
    quoted=st.booleans(),
    decoration=st.sampled_from(["", "\n", "SEP\n", "  \n\n"]),
)
def test_whatever_a_spreadsheet_makes_of_a_file_is_read(
    rater, encoding, separator, end, columns, order, quoted, decoration
):
    cells = [rows(rater)[place] for place in order]
    if quoted:
        cells = [{name: f'"{cell}"' for name, cell in row.items()} for row in cells]
    text = cells_to_text(cells, columns, separator, end)
    text += decoration.replace("SEP", separator * 5).replace("\n", end)
    found = read(ENCODINGS[encoding](text))
    assert sorted(found, key=lambda one: one.trial) == answer(KEY, rater, RIGHT)


def test_a_name_in_pieces_is_the_name_in_one():
    text = unicodedata.normalize("NFD", cells_to_text(rows("Zoë")))
    assert read(text.encode())[0].rater == unicodedata.normalize("NFC", "Zoë")


def test_empty_columns_at_the_right_are_a_spreadsheets():
    text = cells_to_text(rows()).replace("\r\n", ",,\r\n")
    assert len(read(text.encode())) == 4


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(content):
    with pytest.raises(UserError, match=r"a\.csv"):
        read(content)


@given(text=st.text(max_size=200), head=st.sampled_from(["", ",".join(COLUMNS) + "\n", '"survey']))
def test_any_text_is_refused_in_words(text, head):
    with pytest.raises(UserError, match=r"a\.csv"):
        read((head + text).encode("utf-8", "surrogatepass"))


@given(data=st.data())
def test_a_changed_cell_is_refused(data):
    cells = rows()
    row = data.draw(st.integers(0, 3))
    column = data.draw(st.sampled_from(COLUMNS))
    old = cells[row][column]
    new = data.draw(
        st.one_of(
            st.integers(-3, 10**6).map(str),
            st.text(st.characters(exclude_characters='",;\t', exclude_categories=["Cs"])),
        )
    )
    if unicodedata.normalize("NFC", new.strip()) == old:
        return
    cells[row][column] = new
    with pytest.raises(UserError, match=r"a\.csv"):
        read(cells_to_text(cells).encode())


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("survey", OTHER.survey, f"row 3: the answer is to `{OTHER.survey}`.*survey_key.json"),
        ("trial", "9", "row 3: `trial` is `9`, allowed are whole numbers from 1 to 8"),
        ("trial", "0", "row 3: `trial` is `0`"),
        ("trial", "1.0", "row 3: `trial` is `1.0`"),
        ("trial", "²", "row 3: `trial` is `²`"),
        ("chosen", "3", "row 3: `chosen` is `3`, allowed are whole numbers from 1 to 2"),
        ("chosen", "", "row 3: `chosen` is ``"),
        ("milliseconds", "1,2E+03", "found 7 cells for 6 columns"),
        ("milliseconds", "9" * 5000, "row 3: `milliseconds`"),
        ("rater", "=1+1", "row 3: the rater is `=1\\+1`"),
        ("rater", "Bert", "row 3: the row was changed after it was saved"),
        ("check", "check-0", "row 3: the row was changed after it was saved"),
    ],
)
def test_a_wrong_cell_is_named(column, cell, said):
    cells = rows()
    cells[1][column] = cell
    refused(cells_to_text(cells).encode(), said)


def test_answers_of_another_survey_under_this_ones_name_are_refused():
    cells = [row | {"survey": KEY.survey} for row in rows(key=OTHER)]
    refused(cells_to_text(cells).encode(), "changed after it was saved")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found no answer"),
        (b"\xef\xbb\xbf\r\n", "found no answer"),
        (cells_to_text([]).encode(), "found no answer"),
        (b"PK\x03\x04 a workbook", "is a workbook"),
        (b"\x81\x8d", "is no text"),
        (b"a,b\n1,2\n", "found the columns a, b; needed are survey"),
        (cells_to_text(rows(), (*COLUMNS, "trial")).encode(), "found the columns"),
        (cells_to_text(rows(), COLUMNS[:5]).encode(), "found the columns"),
        (b'survey,"rater\n', "no table"),
    ],
)
def test_what_is_no_file_of_answers_is_refused(content, said):
    refused(content, said)


def test_a_trial_answered_twice_is_refused():
    text = cells_to_text([*rows(), rows()[1]])
    refused(text.encode(), r"row 6: Anna answers trial 2 a second time, first in a\.csv: row 3")
    first, second = (answer(KEY, "Anna", [good]) for good in (True, False))
    with pytest.raises(UserError, match=r"b\.csv: Anna answers trial 1 a second time"):
        merge_answers([("a.csv", first), ("b.csv", second)])


def test_answers_are_merged_by_rater_and_trial():
    anna, bert = answer(KEY, "Anna", RIGHT), answer(KEY, "Bert", RIGHT)
    merged = merge_answers([("b.csv", bert[::-1]), ("a.csv", anna)])
    assert merged == [*anna, *bert]
    assert all(isinstance(one, Answer) for one in merged)
