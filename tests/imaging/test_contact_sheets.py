from __future__ import annotations

import numpy as np
from PIL import Image

from pipeline_lib.imaging.contact_sheets import (
    GAP,
    LABEL_HEIGHT,
    images_to_contact_sheet,
    text_to_image,
    write_png,
)


def flat(count, value, side=20):
    return np.full((count, side, side), value, np.uint8)


def test_rows_keep_their_grey_levels_and_places():
    sheet = images_to_contact_sheet([("real", flat(3, 100)), ("synthetic", flat(2, 50))], columns=4)
    step = 20 + GAP
    assert sheet.shape == (2 * (LABEL_HEIGHT + step), 4 * step)
    top = sheet[LABEL_HEIGHT : LABEL_HEIGHT + 20]
    bottom = sheet[2 * LABEL_HEIGHT + step : 2 * LABEL_HEIGHT + step + 20]
    assert (top[:, :20] == 100).all() and (top[:, 2 * step : 2 * step + 20] == 100).all()
    assert (top[:, 3 * step :] == 255).all()
    assert (bottom[:, step : step + 20] == 50).all() and (bottom[:, 2 * step :] == 255).all()


def test_long_rows_go_on_and_pictures_can_be_enlarged():
    images = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 3, 3), np.uint8)
    sheet = images_to_contact_sheet([("x", images)], columns=2, scale=10)
    step = 30 + GAP
    lines = [LABEL_HEIGHT + line * step for line in range(3)]
    corners = [sheet[y, x] for y in lines for x in (0, step)]
    assert corners == [0, 1, 2, 3, 4, 255]
    assert (sheet[lines[1] : lines[1] + 30, :30] == 2).all()


def test_short_rows_are_packed_in_their_order_and_none_is_lost():
    rows = [(str(count), flat(count, 10 * count)) for count in (1, 2, 5, 1)]
    sheet = images_to_contact_sheet(rows, columns=6, packed=True)
    step = 20 + GAP
    assert sheet.shape == (2 * (LABEL_HEIGHT + step), 6 * step)
    first, second = (sheet[line * (LABEL_HEIGHT + step) + LABEL_HEIGHT] for line in (0, 1))
    assert [first[x * step] for x in range(4)] == [10, 20, 20, 255]
    assert [second[x * step] for x in range(6)] == [50] * 5 + [10]


def test_packed_sheets_are_much_shorter_for_many_fields_of_one_tile():
    rows = [(f"train: field-{k}", flat(1, 9, 128)) for k in range(24)]
    tall, packed = (images_to_contact_sheet(rows, packed=packed) for packed in (False, True))
    assert packed.shape[1] == tall.shape[1] and packed.shape[0] <= tall.shape[0] / 5


def test_an_empty_row_says_so():
    sheet = images_to_contact_sheet([("validation", flat(0, 0)), ("train", flat(1, 9))], columns=8)
    named = text_to_image("validation: none")
    np.testing.assert_array_equal(sheet[:LABEL_HEIGHT, : named.shape[1]], named)


def test_a_label_is_written_in_black_on_white():
    label = text_to_image("tuned, run-1")
    assert label.min() < 60 and label.max() == 255
    assert text_to_image("tuned, run-1, longer").shape[1] > label.shape[1]


def test_png_round_trip(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 7)).astype(np.uint8)
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)


def test_labels_have_the_letters_of_units_and_of_files_names():
    unknown = text_to_image("\uffff")
    for letter in "µ°²éÄß":
        assert not np.array_equal(text_to_image(letter), unknown), letter
