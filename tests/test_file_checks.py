from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline_lib.file_checks import refuse_unfit_files
from pipeline_lib.imaging.headers import HeaderCache
from pipeline_lib.settings.base import UserError
from pipeline_lib.study.loading import load_study

ROOT = Path(__file__).resolve().parent.parent
SIDES = (40, 60)


@pytest.fixture
def check(tmp_path: Path):
    """Return what checks the files of a sheet, as planning does."""

    def call(
        rows: str,
        reading: Any = None,
        prior: Any = None,
        tiles: Any = None,
        dataset: Any = None,
        columns: str = "concept\tpath\tgroup\trole\tregion\tz\n",
        **sections: Any,
    ) -> None:
        (tmp_path / "samples.tsv").write_text(columns + rows)
        (tmp_path / "runs.tsv").write_text(
            "run\tbase\tdatasets\tpriors\nfirst\tbrightfield-tiny\tcells\tclass\n"
        )
        config = {
            "project": "trial",
            "samples": "samples.tsv",
            "runs": "runs.tsv",
            "data_folder": ".",
            "concepts": {"cells": {"reading": reading or {}}, "idle": {}},
            "datasets": {
                "cells": {
                    "concept": "cells",
                    "tiles": {"size": 128, "scale": 8, **(tiles or {})},
                    **(dataset or {}),
                }
            },
            "priors": {"class": {"class_prompt": "cells", "size": 128, **(prior or {})}},
            **sections,
        }
        study = load_study(config, tmp_path, ROOT)
        refuse_unfit_files(study, HeaderCache(tmp_path / "headers.json"))

    return call


def save(path: Path, *outer: int, **metadata: Any) -> None:
    image = np.arange(np.prod((*outer, *SIDES))).reshape(*outer, *SIDES).astype("uint16")
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, image, photometric="minisblack", ome=True, metadata=metadata)


def test_focus_and_channel_are_asked_for_together_of_all_files(check, tmp_path):
    names = {"axes": "ZCYX", "Channel": {"Name": ["BF", "DAPI"]}}
    for number in range(6):
        save(tmp_path / f"{number}.ome.tif", 5, 2, **names)
    rows = "cells\t[0-3].ome.tif\ta\ttrain\t\t\ncells\t[45].ome.tif\tb\tholdout\t\t\n"
    with pytest.raises(UserError) as caught:
        check(rows)
    told = str(caught.value)
    assert "6 of 6 files cannot be read as asked" in told
    assert "6 files (0.ome.tif, 1.ome.tif, 2.ome.tif, 3.ome.tif, ...): concept `cells`" in told
    assert "5 focal planes; say which in `z`" in told
    assert "2 channels, named BF, DAPI; name one in `channel`" in told
    assert "found: axes ZCYX of shape (5, 2, 40, 60), channels BF, DAPI" in told
    check(rows, {"z": "middle", "channel": "BF"})


def test_files_that_are_no_images_are_named_with_what_they_are(check, tmp_path):
    save(tmp_path / "good.tif", axes="YX")
    (tmp_path / "notes.tif").write_text("no picture")
    (tmp_path / "empty.tif").touch()
    with pytest.raises(UserError) as caught:
        check(
            "cells\tgood.tif\ta\ttrain\t\t\ncells\tnotes.tif\tb\tholdout\t\t\n"
            "cells\tempty.tif\tc\tholdout\t\t\n"
        )
    told = str(caught.value)
    assert "2 of 3 files" in told and "good.tif" not in told
    assert "notes.tif: concept `cells`: the file is neither TIFF nor PNG nor JPEG" in told
    assert "empty.tif: concept `cells`: the file is empty" in told


@pytest.mark.parametrize(("region", "fits"), [("0:40,30:60", True), ("0:41,30:60", False)])
def test_regions_beyond_a_field(check, tmp_path, region, fits):
    save(tmp_path / "a.tif", axes="YX")
    rows = f"cells\ta.tif\tleft\ttrain\t0:40,0:30\t\ncells\ta.tif\tright\tholdout\t{region}\t\n"
    if fits:
        check(rows)
        return
    with pytest.raises(UserError, match=r"region 0:41,30:60 .* field, which is 0:40,0:60"):
        check(rows)


def test_unknown_axes_are_told_and_cells_of_the_sheet_count(check, tmp_path):
    save(tmp_path / "a.tif", axes="YX")
    stack = np.ones((4, *SIDES), "uint16")
    tifffile.imwrite(tmp_path / "b.tif", stack, photometric="minisblack", metadata=None)
    rows = "cells\ta.tif\t\ttrain\t\t\ncells\tb.tif\t\tholdout\t\t1\n"
    with pytest.raises(UserError, match=r"b\.tif: concept .* does not say what its axes are"):
        check(rows)
    check(rows, {"axes": "ZYX"})


def test_files_that_no_run_uses_are_left_alone(check, tmp_path):
    save(tmp_path / "a.tif", axes="YX")
    save(tmp_path / "b.tif", axes="YX")
    (tmp_path / "notes.tif").write_text("no picture")
    used = "cells\ta.tif\t\ttrain\t\t\ncells\tb.tif\t\tholdout\t\t\n"
    check(used + "idle\tnotes.tif\t\tauto\t\t\n")


def test_real_class_images_are_checked_too(check, tmp_path):
    save(tmp_path / "a.tif", axes="YX")
    save(tmp_path / "b.tif", axes="YX")
    save(tmp_path / "class/c.tif", 4, axes="ZYX")
    rows = "cells\ta.tif\t\ttrain\t\t\ncells\tb.tif\t\tholdout\t\t\n"
    with pytest.raises(UserError, match=r"c\.tif: priors\.class\.images: .* 4 focal planes"):
        check(rows, prior={"images": "class"})
    check(rows, prior={"images": "class", "reading": {"z": "middle"}})


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "uint32", "float32"])
def test_camera_counts_that_png_cannot_hold_are_refused_before_training(check, tmp_path, dtype):
    for name in ("a.tif", "b.tif"):
        image = np.arange(np.prod(SIDES)).reshape(SIDES).astype(dtype)
        tifffile.imwrite(tmp_path / name, image, photometric="minisblack")
    rows = "cells\ta.tif\t\ttrain\t\t\ncells\tb.tif\t\tholdout\t\t\n"
    check(rows, release={"format": "png"})
    check(rows, release={"scale": "camera"})
    if dtype in ("uint8", "uint16"):
        check(rows, release={"format": "png", "scale": "camera"})
        return
    with pytest.raises(UserError, match=rf"(?s)2 of 2 files .* samples are {dtype}, .* ome-tiff"):
        check(rows, release={"format": "png", "scale": "camera"})


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_luminance_that_png_cannot_hold_is_refused_before_training(check, tmp_path, suffix):
    image = np.arange(np.prod(SIDES) * 3).reshape(*SIDES, 3).astype(np.uint8)
    for name in "ab":
        if suffix == "tif":
            tifffile.imwrite(tmp_path / f"{name}.tif", image, photometric="rgb")
        else:
            Image.fromarray(image).save(tmp_path / f"{name}.png")
    rows = f"cells\ta.{suffix}\t\ttrain\t\t\ncells\tb.{suffix}\t\tholdout\t\t\n"
    wanted = {"format": "png", "scale": "camera"}
    check(rows, {"colour": "luminance"}, release={"format": "png"})
    check(rows, release=wanted)  # the three may be equal, and are refused elsewhere if they are not
    with pytest.raises(UserError, match=r"(?s)2 of 2 files .* luminance .* ome-tiff.*`colour`"):
        check(rows, {"colour": "luminance"}, release=wanted)


def save_two(folder: Path, *sizes: float | None) -> str:
    """Write a field of each pixel size and return the rows that use them."""
    for name, size in zip(("a.tif", "b.tif"), sizes, strict=True):
        save(folder / name, axes="YX", **({} if size is None else {"PhysicalSizeX": size}))
    return "cells\ta.tif\t\ttrain\t\t\ncells\tb.tif\t\tholdout\t\t\n"


def test_a_stated_pixel_size_that_the_file_contradicts(check, tmp_path):
    rows = save_two(tmp_path, 0.5, None)
    with pytest.raises(UserError) as caught:
        check(rows, {"pixel_size_um": 0.65})
    told = str(caught.value)
    assert "1 of 2 files" in told and "a.tif: concept `cells`: the file says" in told
    assert "0.5 um wide, the sheet says 0.65 um" in told
    check(rows, {"pixel_size_um": 0.503})


def test_mixed_pixel_sizes_need_to_be_rescaled(check, tmp_path):
    rows = save_two(tmp_path, 0.5, 0.25)
    with pytest.raises(UserError, match=r"dataset `cells`: .* 0\.25 um \(.*b\.tif\) to 0\.5 um"):
        check(rows)
    check(rows, tiles={"rescale": True})


def test_fields_of_one_name_in_two_folders_have_sizes_of_their_own(check, tmp_path):
    save(tmp_path / "10x" / "a.tif", axes="YX", PhysicalSizeX=0.5)
    save(tmp_path / "20x" / "a.tif", axes="YX", PhysicalSizeX=0.25)
    with pytest.raises(UserError, match=r"from 0\.25 um \(.*20x/a\.tif\) to 0\.5 um"):
        check("cells\t10x/a.tif\t\ttrain\t\t\ncells\t20x/a.tif\t\tholdout\t\t\n")


def test_what_is_rescaled_needs_all_pixel_sizes(check, tmp_path):
    rows = save_two(tmp_path, 0.5, None)
    check(rows)
    with pytest.raises(UserError, match=r"dataset `cells`: .* that of .*b\.tif is unknown"):
        check(rows, tiles={"rescale": True})
    check(rows, {"pixel_size_um": 0.5}, tiles={"rescale": True})


LABELLED = "concept\tpath\tgroup\trole\tmasks\n"
TIMED = "concept\tpath\tgroup\trole\tmasks\tt\n"


@pytest.mark.parametrize(
    ("masks", "reason"),
    [
        (np.zeros((40, 60), np.uint16), None),
        (np.zeros((40, 61), np.uint16), r"\(1, 40, 61\) planes, .* field is \(1, 40, 60\)"),
        (np.zeros((40, 60), np.float32), "its samples are float32, and labels are whole numbers"),
        (np.zeros((2, 40, 60), np.uint16), "state them in `axes`"),
    ],
)
def test_masks_that_cannot_be_a_fields_are_refused(check, tmp_path, masks, reason):
    for name in "ab":
        save(tmp_path / f"{name}.tif", axes="YX")
        tifffile.imwrite(tmp_path / f"{name}_mask.tif", masks, photometric="minisblack")
    cell = "{stem}_mask.tif"
    rows = f"cells\ta.tif\tg\ttrain\t{cell}\ncells\tb.tif\th\tholdout\t{cell}\n"
    if reason is None:
        check(rows, columns=LABELLED)
        return
    with pytest.raises(UserError, match=rf"a_mask\.tif: .*masks of a\.tif: .*{reason}"):
        check(rows, columns=LABELLED)


def save_times(folder: Path, mask: np.ndarray, axes: str) -> None:
    for name in "ab":
        save(folder / f"{name}.tif", 6, axes="TYX")
        tifffile.imwrite(folder / f"{name}_mask.tif", mask, ome=True, metadata={"axes": axes})


def test_a_mask_of_one_plane_is_that_of_one_time_point(check, tmp_path):
    save_times(tmp_path, np.zeros(SIDES, np.uint16), "YX")
    rows = "cells\ta.tif\tg\ttrain\t{stem}_mask.tif\t5\ncells\tb.tif\th\tholdout\t\t5\n"
    check(rows, columns=TIMED)
    with pytest.raises(UserError, match=r"masks of a\.tif: .*1, 40, 60.* field is \(6, 40, 60\)"):
        check(rows.replace("\t5\n", "\tall\n"), columns=TIMED)


def test_a_mask_of_one_plane_is_not_that_of_several_positions(check, tmp_path):
    columns = LABELLED.replace("masks", "masks\tposition")
    row = "cells\ta.tif\tg\ttrain\t{{stem}}_mask.tif\t{}\n"
    save(tmp_path / "b.tif", axes="YX")
    rows = "cells\tb.tif\th\tholdout\t\t\n" + row.format(0)
    images = np.arange(3 * 40 * 60).reshape(3, 40, 60).astype(np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as file:
        for image in images:
            file.write(image, metadata={"axes": "YX"})
    tifffile.imwrite(tmp_path / "a_mask.tif", np.zeros(SIDES, np.uint16))
    check(rows, columns=columns)
    with pytest.raises(UserError, match=r"a_mask\.tif.*: it holds no positions.* 2 of a\.tif"):
        check(rows + row.format(2), columns=columns)


def test_a_channel_of_masks_must_be_there(check, tmp_path):
    for name in "ab":
        names = {"axes": "CYX", "Channel": {"Name": ["BF", "nuclei"]}}
        save(tmp_path / f"{name}.ome.tif", 2, **names)
    rows = "cells\ta.ome.tif\tg\ttrain\t{0}\ncells\tb.ome.tif\th\tholdout\t{0}\n"
    check(rows.format("channel:nuclei"), {"channel": "BF"}, columns=LABELLED)
    with pytest.raises(UserError, match=r"masks of a\.ome\.tif: .*channels BF, nuclei"):
        check(rows.format("channel:cyto"), {"channel": "BF"}, columns=LABELLED)
