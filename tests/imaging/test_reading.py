"""Every form of file is read to the exact array, or refused with its own message."""

from __future__ import annotations

import json
import logging
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from pipeline_lib.imaging.headers import HeaderCache
from pipeline_lib.imaging.reading import path_to_files, read_field
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

SIDE = (24, 36)


def counts(*shape, dtype="uint16", seed=0):
    """Return random counts over most of 12 bits, or of the type's range."""
    draw = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return draw.normal(1000, 50, shape).astype(dtype)
    high = min(4000, np.iinfo(dtype).max)
    return draw.integers(1, high, shape).astype(dtype)


def save(path, image, **how):
    tifffile.imwrite(path, image, **{"photometric": "minisblack", **how})
    return path


def read(path, **settings):
    return read_field(Path(path), ReadingSettings(**settings))


def refused(path, **settings):
    with pytest.raises(UserError) as caught:
        read(path, **settings)
    assert str(path) in str(caught.value)
    return str(caught.value)


# --- types, layouts, compressions ----------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"],
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_every_sample_type_in_both_byte_orders(tmp_path, dtype, byteorder):
    image = counts(*SIDE, dtype=dtype) - (100 if dtype == "int16" else 0)
    field = read(save(tmp_path / "a.tif", image.astype(dtype), byteorder=byteorder))
    assert field.planes.dtype == np.dtype(dtype) and field.planes.dtype.isnative
    np.testing.assert_array_equal(field.planes, image[np.newaxis])
    assert (field.axes, field.shape, field.indices) == ("YX", SIDE, ({},))


@pytest.mark.parametrize(
    "how",
    [
        {"compression": "lzw"},
        {"compression": "zlib", "predictor": True},
        {"compression": "zstd"},
        {"compression": "packbits"},
        {"compression": "jpeg2000"},
        {"compression": "lzma"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"tile": (16, 16), "compression": "zlib"},
        {"rowsperstrip": 5},
    ],
    ids=str,
)
def test_compressions_and_layouts(tmp_path, how):
    image = counts(*SIDE)
    np.testing.assert_array_equal(read(save(tmp_path / "a.tif", image, **how)).planes[0], image)


def test_packed_12_bit_samples(tmp_path):
    image = counts(*SIDE)
    field = read(handmade_tiff(tmp_path / "a.tif", pack_12_bits(image), SIDE, bits=12))
    np.testing.assert_array_equal(field.planes[0], image)


def test_a_pyramid_gives_its_full_size(tmp_path):
    image = counts(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        options = {"tile": (16, 16), "photometric": "minisblack"}
        writer.write(image, subifds=2, metadata={"axes": "YX"}, **options)
        writer.write(image[::2, ::2], subfiletype=1, **options)
        writer.write(image[::4, ::4], subfiletype=1, **options)
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif").planes[0], image)


def test_reduced_copies_on_later_pages_do_not_count(tmp_path):
    image = counts(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(image, metadata=None, photometric="minisblack")
        writer.write(image[::2, ::2], subfiletype=1, metadata=None, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").planes[0], image)


# --- axes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_channel_focus_and_time_of_a_hyperstack(tmp_path, kind):
    image = counts(3, 2, 4, *SIDE)  # T, Z, C
    path = save(tmp_path / "a.tif", image, **{kind: True}, metadata={"axes": "TZCYX"})
    field = read(path, channel=2, z=1, t="all")
    np.testing.assert_array_equal(field.planes, image[:, 1, 2])
    assert field.axes == "TZCYX" and field.shape == image.shape
    assert field.indices == tuple({"T": t, "Z": 1, "C": 2} for t in range(3))
    np.testing.assert_array_equal(read(path, channel="3", z="0", t="1").planes, image[1:2, 0, 3])
    np.testing.assert_array_equal(read(path, channel=0, z="middle").planes, image[:, 1, 0])


@pytest.mark.parametrize("axes", ["CTYX", "ZTCYX", "YXT", "TYXC", "XYT"])
def test_axes_in_any_order_come_out_as_planes_of_rows(tmp_path, axes):
    lengths = {"T": 3, "C": 2, "Z": 4, "Y": 24, "X": 36}
    image = counts(*(lengths[axis] for axis in axes))
    path = save(tmp_path / "a.tif", image, metadata={"axes": axes})
    chosen = {"channel": "1"} if "C" in axes else {}
    chosen |= {"z": 2} if "Z" in axes else {}
    field = read(path, **chosen)
    index = tuple({"C": 1, "Z": 2}.get(axis, slice(None)) for axis in axes)
    left = [axis for axis in axes if axis in "TYX"]
    expected = image[index].transpose([left.index(axis) for axis in "TYX"])
    np.testing.assert_array_equal(field.planes, expected)


def test_channel_by_its_ome_name(tmp_path):
    image = counts(3, *SIDE)
    names = {"Name": ["DAPI", "oblique", "7"]}
    path = save(tmp_path / "a.tif", image, ome=True, metadata={"axes": "CYX", "Channel": names})
    np.testing.assert_array_equal(read(path, channel="oblique").planes[0], image[1])
    np.testing.assert_array_equal(read(path, channel="7").planes[0], image[2])
    assert "3 channels, named DAPI, oblique, 7" in refused(path)
    assert "'phase'; it may be an index or one of the channels, named DAPI" in refused(
        path, channel="phase"
    )


def test_equal_channel_names_are_refused(tmp_path):
    names = {"Name": ["BF", "BF"]}
    metadata = {"axes": "CYX", "Channel": names}
    path = save(tmp_path / "a.tif", counts(2, *SIDE), ome=True, metadata=metadata)
    assert "several channels are named 'BF'" in refused(path, channel="BF")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channel": 4, "z": 0}, "`channel` is 4, but the file has 4 channels: indices run from 0"),
        ({"z": 0}, "the file has 4 channels, without names; name one in `channel`"),
        ({"channel": 0}, "the file has 2 focal planes; say which in `z`"),
        ({"channel": 0, "z": 9}, "`z` is 9, but the file has 2 focal planes"),
        (
            {"channel": 0, "z": "best"},
            "`z` is 'best'; it may be `only`, `middle`, `max`, `min`, `mean`",
        ),
        ({"channel": 0, "z": 0, "t": 3}, "`t` is 3, but the file has 3 time points"),
        ({"channel": 0, "z": 0, "t": "-1"}, "`t` is '-1'; it may be `all` or an index"),
    ],
)
def test_choices_that_do_not_exist(tmp_path, settings, message):
    image = counts(3, 2, 4, *SIDE)
    path = save(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "TZCYX"})
    assert message in refused(path, **settings)


def test_all_missing_choices_are_told_together(tmp_path):
    path = save(tmp_path / "a.tif", counts(2, 3, 4, *SIDE), ome=True, metadata={"axes": "TZCYX"})
    refusal = refused(path, t=7)
    for words in ("has 2 time points", "3 focal planes; say which", "4 channels, without names"):
        assert words in refusal


@pytest.mark.parametrize("settings", [{"z": 3}, {"t": 1}, {"channel": "oblique"}])
def test_a_choice_on_an_axis_that_the_file_lacks(tmp_path, settings):
    assert f"`{next(iter(settings))}` is" in refused(
        save(tmp_path / "a.tif", counts(*SIDE)), **settings
    )


@pytest.mark.parametrize("metadata", [{}, None])
def test_unknown_axes_are_refused_unless_the_sheet_says(tmp_path, metadata):
    image = counts(4, *SIDE)
    path = save(tmp_path / "a.tif", image, metadata=metadata)
    message = refused(path)
    assert "does not say what its axes are" in message and "(4, 24, 36)" in message
    assert "for example TYX" in message
    np.testing.assert_array_equal(read(path, axes="TYX").planes, image)
    np.testing.assert_array_equal(read(path, axes="zyx", z=2).planes[0], image[2])


def test_two_unknown_axes(tmp_path):
    image = counts(2, 3, *SIDE)
    path = save(tmp_path / "a.tif", image)
    assert "QQYX" in refused(path)
    field = read(path, axes="TCYX", channel=2)
    np.testing.assert_array_equal(field.planes, image[:, 2])


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("TYXX", "each letter of TZCRYXS at most once"),
        ("QYX", "each letter of TZCRYXS at most once"),
        ("TC", "it needs Y and X"),
        ("TCYX", "the file has 3 axes"),
        ("YTX", "put Y where the file has them"),
    ],
)
def test_axes_of_the_sheet_that_do_not_fit(tmp_path, axes, message):
    assert message in refused(save(tmp_path / "a.tif", counts(4, *SIDE)), axes=axes)


def test_the_sheet_may_overrule_what_the_file_says_and_that_is_recorded(tmp_path):
    image = counts(4, *SIDE)
    path = save(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "ZYX"})
    assert "4 focal planes" in refused(path)
    field = read(path, axes="TYX")
    np.testing.assert_array_equal(field.planes, image)
    assert "the file's metadata say axes ZYX, the sheet's TYX was used" in field.warnings


def test_axes_of_the_sheet_do_not_hurt_a_file_of_one_plane(tmp_path):
    image = counts(*SIDE)
    np.testing.assert_array_equal(
        read(save(tmp_path / "a.tif", image), axes="TYX").planes[0], image
    )


def test_samples_that_are_neither_colour_nor_opacity_are_unknown(tmp_path):
    image = counts(*SIDE, 2)
    path = save(tmp_path / "a.tif", image, planarconfig="contig")
    assert "YXQ" in refused(path)
    np.testing.assert_array_equal(read(path, axes="YXC", channel=1).planes[0], image[..., 1])


def test_an_imagej_stack_with_one_directory_for_all_its_planes(tmp_path):
    """ImageJ writes stacks of more than 4 GB so; here the later directories are cut off."""
    image = counts(5, *SIDE)
    path = save(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].offset
        count = len(tiff.pages[0].tags)
    data = bytearray(path.read_bytes())
    order = ">" if data[:2] == b"MM" else "<"
    place = offset + 2 + 12 * count
    data[place : place + 4] = struct.pack(f"{order}I", 0)
    path.write_bytes(bytes(data))
    np.testing.assert_array_equal(read(path).planes, image)


# --- several files -------------------------------------------------------------------------------


def two_part_ome(folder):
    """Write an OME-TIFF of two time points in two files, as OME Master files do."""
    image = counts(2, *SIDE)
    blocks = "".join(
        f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="t{t}.ome.tif">urn:uuid:00000000-0000-0000-0000-00000000000{t}</UUID>'
        "</TiffData>"
        for t in range(2)
    )
    for t in range(2):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:00000000-0000-0000-0000-00000000000{t}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
            f'SizeX="{SIDE[1]}" SizeY="{SIDE[0]}" SizeC="1" SizeZ="1" SizeT="2">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
        )
        save(folder / f"t{t}.ome.tif", image[t], metadata=None, description=xml)
    return image


def test_an_ome_image_in_two_files(tmp_path):
    image = two_part_ome(tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "t0.ome.tif").planes, image)


def test_an_ome_image_whose_other_file_is_missing(tmp_path):
    two_part_ome(tmp_path)
    (tmp_path / "t1.ome.tif").unlink()
    assert "incomplete" in refused(tmp_path / "t0.ome.tif")


def positions_file(path, shapes=(SIDE, SIDE), names=None):
    """Write an OME-TIFF with an image for each shape and return the images."""
    images = [counts(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    with tifffile.TiffWriter(path, ome=True) as writer:
        for number, image in enumerate(images):
            metadata = {"Name": names[number]} if names else {}
            how = {"photometric": "minisblack", "contiguous": False}
            writer.write(image, metadata={"axes": "ZTYX"[-image.ndim :], **metadata}, **how)
    return images


def test_positions_of_one_file_are_chosen_by_number_or_name(tmp_path):
    path = tmp_path / "a.ome.tif"
    images = positions_file(path, [(4, *SIDE)] * 3, ["A1", "A2", "B7"])
    assert "the file has 3 positions, named A1, A2, B7; name one in `position`" in refused(path)
    for number, name in enumerate(["A1", "A2", "B7"]):
        field = read(path, position=str(number))
        np.testing.assert_array_equal(field.planes, images[number])
        np.testing.assert_array_equal(read(path, position=name).planes, images[number])
    assert field.indices == tuple({"R": 2, "T": t} for t in range(4))
    assert "indices run from 0 to 2" in refused(path, position=3)


def test_images_of_different_sizes_in_one_file_are_refused(tmp_path):
    positions_file(tmp_path / "a.ome.tif", [SIDE, (20, 30)])
    assert "holds 2 images" in refused(tmp_path / "a.ome.tif")


def micro_manager_stack(path, image, summary, position=0, time=0):
    """Write a stack as Micro-Manager does: an index of the planes stands after a header."""
    text = json.dumps({"MicroManagerVersion": "1.4", **summary}).encode()
    body, rows, start = b"", [], 40 + len(text)
    for index in np.ndindex(image.shape[:-2]):
        plane = image[index].tobytes()
        offset = start + len(body)
        channel, focus, moment, place = index[::-1]
        rows.append((channel, focus, moment + time, place + position, offset))
        following = (
            offset + 162 + len(plane) if index != tuple(n - 1 for n in image.shape[:-2]) else 0
        )
        tags = [
            (254, 4, 0), (256, 4, image.shape[-1]), (257, 4, image.shape[-2]), (258, 3, 16),
            (259, 3, 1), (262, 3, 1), (273, 4, offset + 162), (277, 3, 1),
            (278, 4, image.shape[-2]), (279, 4, len(plane)), (284, 3, 1), (296, 3, 1),
        ]  # fmt: skip
        entries = b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
        entries += struct.pack("<HHII", 51123, 2, len(text), 40)
        body += struct.pack("<H", 13) + entries + struct.pack("<I", following) + plane
    index_offset = start + len(body)
    head = struct.pack("<2sHI", b"II", 42, start)
    head += struct.pack("<8I", 54773648, index_offset, 0, 0, 0, 0, 2355492, len(text))
    index = struct.pack("<II", 3453623, len(rows))
    index += b"".join(struct.pack("<5I", *row) for row in rows)
    path.write_bytes(head + text + body + index)
    return path


def test_positions_of_micro_manager_are_no_focal_planes(tmp_path):
    image = counts(3, 2, 4, 1, *SIDE)  # R, T, Z, C: the index counts channels first
    summary = {"Positions": 3, "Frames": 2, "Slices": 4, "Channels": 1, "TimeFirst": False}
    stack = micro_manager_stack(tmp_path / "a_MMStack.ome.tif", image, summary)
    message = refused(stack)
    assert "the file has 3 positions" in message and "the file has 4 focal planes" in message
    field = read(stack, position=2, z=1)
    np.testing.assert_array_equal(field.planes, image[2, :, 1, 0])
    assert field.indices == tuple({"R": 2, "T": t, "Z": 1} for t in range(2))


def test_a_file_for_each_position_of_micro_manager_gives_its_own(tmp_path):
    image = counts(3, 2, 1, 1, *SIDE)
    summary = {"Positions": 3, "Frames": 2, "Slices": 1, "Channels": 1, "TimeFirst": False}
    for number in range(3):
        path = tmp_path / f"a_MMStack_Pos{number}.ome.tif"
        micro_manager_stack(path, image[number : number + 1], summary, position=number)
    for number in range(3):
        path = tmp_path / f"a_MMStack_Pos{number}.ome.tif"
        np.testing.assert_array_equal(read(path).planes, image[number, :, 0, 0])
        assert path_to_files(path) == (path,)


def test_one_position_of_micro_manager_may_be_copied_alone(tmp_path):
    image = counts(1, 2, 3, 1, *SIDE)
    summary = {"Positions": 3, "Frames": 2, "Slices": 3, "Channels": 1, "TimeFirst": False}
    path = tmp_path / "a_MMStack_Pos1.ome.tif"
    micro_manager_stack(path, image, summary, position=1)
    np.testing.assert_array_equal(read(path, z=2).planes, image[0, :, 2, 0])
    micro_manager_stack(path, image, {**summary, "Frames": 4}, position=1)
    assert "the files hold 2 of 4 time points: the image is incomplete" in refused(path, z=2)


def test_a_long_series_of_micro_manager_is_one_image(tmp_path):
    image = counts(1, 4, 1, 1, *SIDE)
    summary = {"Positions": 1, "Frames": 4, "Slices": 1, "Channels": 1}
    names = ["a_MMStack_Pos0.ome.tif", "a_MMStack_Pos0_1.ome.tif"]
    for number, name in enumerate(names):
        part = image[:, 2 * number : 2 * number + 2]
        micro_manager_stack(tmp_path / name, part, summary, time=2 * number)
    for name in names:
        np.testing.assert_array_equal(read(tmp_path / name).planes, image[0, :, 0, 0])
        assert path_to_files(tmp_path / name) == tuple(tmp_path / one for one in names)


@pytest.mark.parametrize(
    "labels",
    [
        ["1-Pos000_000", "1-Pos000_001", "1-Pos001_000", "1-Pos001_001"],  # of a grid
        ["well", "well_1", "well_2", "well_03"],
    ],
)
@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_positions_of_micro_manager_whose_labels_end_in_numbers_are_no_parts(
    tmp_path, labels, ending
):
    image = counts(4, 2, 1, 1, *SIDE)
    summary = {"Positions": 4, "Frames": 2, "Slices": 1, "Channels": 1, "TimeFirst": False}
    paths = [tmp_path / f"a_MMStack_{label}{ending}" for label in labels]
    for number, path in enumerate(paths):
        micro_manager_stack(path, image[number : number + 1], summary, position=number)
    for number, path in enumerate(paths):
        assert path_to_files(path) == (path,)
        np.testing.assert_array_equal(read(path).planes, image[number, :, 0, 0])


def test_a_long_series_at_a_place_of_a_grid_has_two_numbers(tmp_path):
    image = counts(2, 4, 1, 1, *SIDE)
    summary = {"Positions": 2, "Frames": 4, "Slices": 1, "Channels": 1, "TimeFirst": False}
    for place in range(2):
        stem = tmp_path / f"a_MMStack_1-Pos000_00{place}"
        paths = [stem.with_name(f"{stem.name}{part}.ome.tif") for part in ("", "_1")]
        for number, path in enumerate(paths):
            part = image[place : place + 1, 2 * number : 2 * number + 2]
            micro_manager_stack(path, part, summary, position=place, time=2 * number)
    for place in range(2):
        stem = tmp_path / f"a_MMStack_1-Pos000_00{place}"
        paths = tuple(stem.with_name(f"{stem.name}{part}.ome.tif") for part in ("", "_1"))
        for path in paths:
            assert path_to_files(path) == paths
            np.testing.assert_array_equal(read(path).planes, image[place, :, 0, 0])


def test_positions_that_share_the_files_of_a_long_series_are_one_image(tmp_path):
    image = counts(3, 2, 1, 1, *SIDE)
    summary = {"Positions": 3, "Frames": 2, "Slices": 1, "Channels": 1, "TimeFirst": False}
    names = ["a_MMStack_Default.ome.tif", "a_MMStack_Default_1.ome.tif"]
    paths = tuple(tmp_path / name for name in names)
    micro_manager_stack(paths[0], image[:2], summary)
    micro_manager_stack(paths[1], image[2:], summary, position=2)
    for path in paths:
        assert path_to_files(path) == paths
        np.testing.assert_array_equal(read(path, position=2).planes, image[2, :, 0, 0])


def test_parts_of_a_long_series_that_are_copied_later_are_seen(tmp_path):
    image = counts(3, 2, 1, 1, *SIDE)
    summary = {"Positions": 3, "Frames": 2, "Slices": 1, "Channels": 1, "TimeFirst": False}
    first, second = (tmp_path / f"a_MMStack_Default{part}.ome.tif" for part in ("", "_1"))
    cache = HeaderCache(tmp_path / "headers.json")
    micro_manager_stack(first, image[:2], summary)
    assert cache.files(first) == [first]
    micro_manager_stack(second, image[2:], summary, position=2)
    assert HeaderCache(tmp_path / "headers.json").files(first) == [first, second]


# --- grey and colour -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("uint8", lambda v: 255 - v),
        ("uint16", lambda v: 65535 - v),
        ("int16", lambda v: -1 - v),
        ("float32", lambda v: -v),
    ],
)
def test_miniswhite_is_inverted(tmp_path, dtype, expected):
    image = counts(*SIDE, dtype=dtype)
    field = read(save(tmp_path / "a.tif", image, photometric="miniswhite"))
    np.testing.assert_array_equal(field.planes[0], expected(image))
    assert field.planes.dtype == image.dtype


def test_miniswhite_of_12_bits_is_inverted_in_12_bits(tmp_path):
    image = counts(*SIDE)
    path = handmade_tiff(tmp_path / "a.tif", pack_12_bits(image), SIDE, bits=12, photometric=0)
    np.testing.assert_array_equal(read(path).planes[0], 4095 - image)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_equal_colours_collapse(tmp_path, planar, dtype):
    grey = counts(*SIDE, dtype=dtype)
    image = np.stack([grey] * 3, axis=-1 if planar == "contig" else 0)
    field = read(save(tmp_path / "a.tif", image, photometric="rgb", planarconfig=planar))
    np.testing.assert_array_equal(field.planes[0], grey)
    assert field.planes.dtype == grey.dtype


def test_true_colour_is_refused_or_becomes_its_luminance(tmp_path):
    image = counts(*SIDE, 3, dtype="uint8")
    path = save(tmp_path / "a.tif", image, photometric="rgb")
    assert "colour: luminance" in refused(path)
    expected = image @ np.array([0.2125, 0.7154, 0.0721])
    np.testing.assert_allclose(read(path, colour="luminance").planes[0], expected, rtol=1e-5)


def test_three_planes_that_were_saved_as_colours_can_be_named(tmp_path):
    image = counts(3, *SIDE)
    path = save(tmp_path / "a.tif", image, photometric="rgb", planarconfig="separate")
    assert "say so in `axes`" in refused(path)
    np.testing.assert_array_equal(read(path, axes="TYX").planes, image)


@pytest.mark.parametrize("opacity", [255, None])
def test_opacity_is_dropped(tmp_path, opacity):
    grey = counts(*SIDE, dtype="uint8")
    alpha = counts(*SIDE, dtype="uint8", seed=1) if opacity is None else np.full_like(grey, opacity)
    image = np.stack([grey, grey, grey, alpha], axis=-1)
    field = read(save(tmp_path / "a.tif", image, photometric="rgb", extrasamples=["unassalpha"]))
    np.testing.assert_array_equal(field.planes[0], grey)
    assert ("the image is transparent in places; opacity is ignored" in field.warnings) == (
        opacity is None
    )


def test_grey_with_opacity(tmp_path):
    grey = counts(*SIDE, dtype="uint8")
    image = np.stack([grey, np.full_like(grey, 255)], axis=-1)
    how = {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
    np.testing.assert_array_equal(read(save(tmp_path / "a.tif", image, **how)).planes[0], grey)


def test_a_stack_of_colour_planes(tmp_path):
    grey = counts(4, *SIDE, dtype="uint8")
    image = np.stack([grey] * 3, axis=-1)
    path = save(tmp_path / "a.tif", image, photometric="rgb", metadata={"axes": "TYXS"})
    np.testing.assert_array_equal(read(path).planes, grey)


def ramp():
    """Return a colour table of 256 greys."""
    return np.stack([np.arange(256, dtype="uint16") * 256] * 3)


def hilo():
    """Return ImageJ's table that shows 0 in blue and 255 in red."""
    table = ramp()
    table[:, 0], table[:, 255] = (0, 0, 65280), (65280, 0, 0)
    return table


@pytest.mark.parametrize(
    ("table", "imagej"),
    [
        (ramp(), False),
        (ramp() * np.array([[0], [1], [0]], "uint16"), False),
        (np.maximum(ramp(), 256) - 256, False),
        (hilo(), True),
        (ramp()[:, ::-1].copy(), True),
    ],
    ids=["greys", "greens", "greys that start at one", "HiLo", "inverted by ImageJ"],
)
def test_the_values_count_where_a_colour_table_only_shows_them(tmp_path, table, imagej):
    image = 1 + counts(*SIDE, dtype="uint8") % 8
    how = {"description": "ImageJ=1.53t\n", "metadata": None} if imagej else {}
    path = save(tmp_path / "a.tif", image, photometric="palette", colormap=table, **how)
    field = read(path)
    np.testing.assert_array_equal(field.planes[0], image)
    assert field.planes.dtype == np.uint8
    assert any("its indices were read" in text for text in field.warnings)


@pytest.mark.parametrize(
    "table",
    [hilo(), ramp()[:, ::-1].copy(), np.random.default_rng(0).integers(0, 65535, (3, 256))],
    ids=["HiLo, not of ImageJ", "falling, not of ImageJ", "any colours"],
)
def test_other_colour_tables_are_refused_or_give_their_luminance(tmp_path, table):
    image = counts(*SIDE, dtype="uint8")
    table = table.astype("uint16")
    path = save(tmp_path / "a.tif", image, photometric="palette", colormap=table)
    message = refused(path)
    assert "Lookup Tables > Grays" in message and "colour: luminance" in message
    expected = np.moveaxis(table[:, image], 0, -1) @ np.array([0.2125, 0.7154, 0.0721])
    np.testing.assert_allclose(read(path, colour="luminance").planes[0], expected, rtol=1e-5)


def test_a_colour_table_of_another_length_is_damage(tmp_path):
    image = counts(*SIDE, dtype="uint8")
    path = save(tmp_path / "a.tif", image, photometric="palette", colormap=ramp())
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags["ColorMap"].offset + 4
    data = bytearray(path.read_bytes())
    data[place : place + 4] = struct.pack("<I", 700)
    path.write_bytes(bytes(data))
    assert "colour table is damaged" in refused(path)


def test_quantised_colours_are_refused_though_imagej_wrote_them(tmp_path):
    table = np.random.default_rng(0).integers(0, 65535, (3, 256)).astype("uint16")
    how = {"description": "ImageJ=1.53t\n", "metadata": None, "photometric": "palette"}
    path = save(tmp_path / "a.tif", counts(*SIDE, dtype="uint8"), colormap=table, **how)
    assert "colour table" in refused(path)


@pytest.mark.parametrize(("dtype", "narrow"), [("int64", "int32"), ("uint64", "uint32")])
def test_whole_numbers_of_64_bits_are_read_exactly_or_refused(tmp_path, dtype, narrow):
    image = counts(*SIDE).astype(dtype) * 2**19
    field = read(save(tmp_path / "a.tif", image))
    np.testing.assert_array_equal(field.planes[0].astype(dtype), image)
    assert field.planes.dtype == narrow
    assert "more than 32 bits hold" in refused(save(tmp_path / "b.tif", image * 2**10))


def test_other_colour_codes_are_refused(tmp_path):
    path = save(tmp_path / "a.tif", counts(*SIDE, 4, dtype="uint8"), photometric="separated")
    assert "coded as SEPARATED" in refused(path)


# --- no picture ----------------------------------------------------------------------------------


def test_one_bit_masks_are_refused(tmp_path):
    assert "one bit a pixel" in refused(save(tmp_path / "a.tif", counts(*SIDE) > 2000))


def test_masks_of_two_values_are_refused(tmp_path):
    mask = (counts(*SIDE) > 2000).astype("uint8") * 255
    assert "two values, 0 and 255: it is a mask" in refused(save(tmp_path / "a.tif", mask))


@pytest.mark.parametrize("value", [0, 1234])
def test_constant_images_are_refused(tmp_path, value):
    image = counts(3, *SIDE)
    image[1] = value
    path = save(tmp_path / "a.tif", image, metadata={"axes": "TYX"})
    assert f"all pixels are {value}: the image is constant" in refused(path)
    np.testing.assert_array_equal(read(path, t=2).planes[0], image[2])


def test_complex_numbers_are_refused(tmp_path):
    assert "complex64" in refused(save(tmp_path / "a.tif", counts(*SIDE).astype("complex64")))


def test_bad_pixels_are_refused_beyond_the_stated_share(tmp_path):
    image = counts(*SIDE, dtype="float32")
    image[0, :2] = np.nan, np.inf
    path = save(tmp_path / "a.tif", image)
    assert "0.23% of the pixels are NaN or infinite, accepted are 0.00%" in refused(path)
    field = read(path, invalid_share=0.01)
    median = np.median(image[np.isfinite(image)])
    np.testing.assert_array_equal(field.planes[0][0, :2], [median, median])
    np.testing.assert_array_equal(field.planes[0][1:], image[1:])
    assert any("0.23% of the pixels were NaN" in text for text in field.warnings)


def test_an_image_of_bad_pixels_alone(tmp_path):
    image = np.full(SIDE, np.nan, "float32")
    assert "100.00% of the pixels" in refused(save(tmp_path / "a.tif", image), invalid_share=1)


# --- damage --------------------------------------------------------------------------------------


def test_an_empty_file(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"")
    assert "the file is empty" in refused(tmp_path / "a.tif")


@pytest.mark.parametrize("head", [b"\x00" * 64, b"PK\x03\x04 a zip", b"BM bitmap", b"II*"])
def test_other_files(tmp_path, head):
    (tmp_path / "a.tif").write_bytes(head)
    assert "neither TIFF nor PNG nor JPEG" in refused(tmp_path / "a.tif")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(
    "how",
    [
        {"metadata": {"axes": "TYX"}},
        {"imagej": True, "metadata": {"axes": "TYX"}},
        {"ome": True, "metadata": {"axes": "TYX"}},
        {"compression": "zlib", "metadata": {"axes": "TYX"}},
        {"compression": "zlib", "imagej": False, "ome": True, "metadata": {"axes": "TYX"}},
        {"compression": "lzw", "rowsperstrip": 5, "metadata": {"axes": "TYX"}},
        {"compression": "zstd", "metadata": None},
    ],
    ids=str,
)
def test_truncated_files_are_refused_wherever_the_cut_is(tmp_path, how, share):
    path = save(tmp_path / "a.tif", counts(5, *SIDE), **how)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path, axes="TYX")


def test_a_damaged_compressed_strip(tmp_path):
    path = save(tmp_path / "a.tif", counts(*SIDE), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        start, length = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[start : start + length] = bytes(255 - value for value in data[start : start + length])
    path.write_bytes(bytes(data))
    assert "cannot be decoded" in refused(path)


def test_a_compression_that_nobody_knows(tmp_path):
    path = handmade_tiff(tmp_path / "a.tif", counts(*SIDE).tobytes(), SIDE, compression=60999)
    assert "cannot be decoded" in refused(path)


def test_strips_that_were_never_written(tmp_path):
    path = handmade_tiff(tmp_path / "a.tif", b"", SIDE)
    assert "never written" in refused(path)


def without_tag(path, code):
    """Give a tag of a file's first directory a number that nobody knows."""
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags[code].offset
    data = bytearray(path.read_bytes())
    data[place : place + 2] = struct.pack("<H", 65000)
    path.write_bytes(bytes(data))
    return path


def test_an_image_of_no_rows(tmp_path):
    text = "ImageJ=1.11a\nimages=3\nframes=3\n"
    path = save(tmp_path / "a.tif", counts(*SIDE), metadata=None, description=text)
    assert "the image has no pixels" in refused(without_tag(path, "ImageLength"))


def test_differences_without_a_compression_are_uncertain(tmp_path):
    how = {"compression": "zlib", "predictor": True, "metadata": {"axes": "TYX"}}
    path = save(tmp_path / "a.tif", counts(3, *SIDE, dtype="uint8"), **how)
    assert "kept as differences" in refused(without_tag(path, "Compression"))


@pytest.mark.parametrize("offset", [0, 4])
def test_pixels_that_would_stand_in_the_header(tmp_path, offset):
    path = handmade_tiff(tmp_path / "a.tif", counts(*SIDE).tobytes(), SIDE, offset=offset)
    assert "in its own header" in refused(path)


@pytest.fixture(params=["critical", "disabled", "logging off", "filtered"])
def deaf_logger(request):
    """Set logging so that nothing of tifffile's is heard, and set it back."""
    logger = logging.getLogger("tifffile")

    def nothing(record):
        return False

    if request.param == "critical":
        logger.setLevel(logging.CRITICAL + 1)
    elif request.param == "disabled":
        logger.disabled = True
    elif request.param == "filtered":
        logger.addFilter(nothing)
    else:
        logging.disable(logging.CRITICAL)
    yield logger
    logger.setLevel(logging.NOTSET)
    logger.disabled = False
    logger.removeFilter(nothing)
    logging.disable(logging.NOTSET)


def test_damage_is_found_whatever_is_logged(tmp_path, deaf_logger):
    text = "ImageJ=1.11a\nimages=7\nframes=7\n"
    path = save(tmp_path / "a.tif", counts(2, *SIDE), metadata=None, description=text)
    assert "contradicts its own metadata" in refused(path)
    two_part_ome(tmp_path)
    (tmp_path / "t1.ome.tif").unlink()
    assert "incomplete" in refused(tmp_path / "t0.ome.tif")
    assert not {"isEnabledFor", "handle"} & set(vars(deaf_logger))


def test_shape_metadata_that_promise_more_planes_than_there_are(tmp_path):
    image = counts(2, *SIDE)
    how = {"metadata": None, "compression": "zlib"}
    path = save(tmp_path / "a.tif", image, description='{"shape": [7, 24, 36]}', **how)
    assert "contradicts its own metadata" in refused(path)


def test_imagej_metadata_that_promise_more_planes_than_there_are(tmp_path):
    text = "ImageJ=1.11a\nimages=7\nframes=7\n"
    path = save(tmp_path / "a.tif", counts(2, *SIDE), metadata=None, description=text)
    assert "contradicts its own metadata" in refused(path)


# --- pixel size ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [("µm", 0.619, 0.619), ("nm", 325.0, 0.325), ("mm", 0.001, 1.0), ("pixel", 1.0, None)],
)
def test_pixel_size_of_ome(tmp_path, unit, value, expected):
    metadata = {"axes": "YX"}
    for side in ("PhysicalSizeX", "PhysicalSizeY"):
        metadata |= {side: value, f"{side}Unit": unit}
    field = read(save(tmp_path / "a.ome.tif", counts(*SIDE), metadata=metadata))
    assert field.pixel_size_um == pytest.approx(expected)
    assert any("pixel size is unknown" in text for text in field.warnings) == (expected is None)


@pytest.mark.parametrize(
    ("unit", "density", "expected"),
    [
        ("micron", 2.0, 0.5),
        ("um", 4.0, 0.25),
        ("\\u00B5m", 4.0, 0.25),
        ("cm", 20000.0, 0.5),
        ("inch", 72.0, None),
        ("pixel", 1.0, None),
        ("", 1.0, None),
    ],
)
def test_pixel_size_of_imagej(tmp_path, unit, density, expected):
    how = {"imagej": True, "metadata": {"unit": unit, "axes": "YX"}}
    field = read(save(tmp_path / "a.tif", counts(*SIDE), resolution=(density, density), **how))
    assert field.pixel_size_um == pytest.approx(expected)


@pytest.mark.parametrize(("size", "told"), [(0.01, True), (0.02, False), (20, False), (21, True)])
def test_implausible_pixel_sizes_warn(tmp_path, size, told):
    path = save(tmp_path / "a.tif", counts(*SIDE))
    warnings = read(path, pixel_size_um=size).warnings
    assert any("implausible" in text for text in warnings) == told


def test_dots_per_inch_are_no_pixel_size(tmp_path):
    path = save(tmp_path / "a.tif", counts(*SIDE), resolution=(72, 72), resolutionunit="INCH")
    assert read(path).pixel_size_um is None
    assert read(path, pixel_size_um=0.3).pixel_size_um == 0.3


def test_a_pixel_size_that_contradicts_the_file(tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    path = save(tmp_path / "a.ome.tif", counts(*SIDE), metadata=metadata)
    assert "a pixel is 0.5 um wide, the sheet says 0.3 um" in refused(path, pixel_size_um=0.3)
    assert read(path, pixel_size_um=0.502).pixel_size_um == 0.5


def test_pixels_that_are_not_square(tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.7}
    field = read(save(tmp_path / "a.ome.tif", counts(*SIDE), metadata=metadata))
    assert "pixels are not square: 0.5 by 0.7 um" in field.warnings


# --- PNG and JPEG --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("samples", [None, 2, 3, 4])
def test_png(tmp_path, dtype, samples):
    grey = counts(*SIDE, dtype=dtype)
    image = grey
    if samples is not None:
        image = np.stack([grey] * samples, axis=-1)
        if samples % 2 == 0:
            image[..., -1] = np.iinfo(dtype).max
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    field = read(tmp_path / "a.png", pixel_size_um=0.4)
    np.testing.assert_array_equal(field.planes[0], grey)
    assert field.planes.dtype == grey.dtype and field.pixel_size_um == 0.4
    assert field.warnings[0].startswith("a PNG file is no camera data")


def test_jpeg(tmp_path):
    grey = counts(*SIDE, dtype="uint8")
    data = imagecodecs.jpeg_encode(grey, level=90)
    (tmp_path / "a.jpg").write_bytes(data)
    field = read(tmp_path / "a.jpg")
    np.testing.assert_array_equal(field.planes[0], imagecodecs.jpeg_decode(data))
    assert "lost detail" in field.warnings[0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_truncated_photographs(tmp_path, kind, share):
    encode = imagecodecs.png_encode if kind == "png" else imagecodecs.jpeg_encode
    data = encode(counts(64, 64, dtype="uint8"))
    (tmp_path / "a.png").write_bytes(data[: int(len(data) * share)])
    assert "truncated" in refused(tmp_path / "a.png")


def test_the_first_bytes_count_and_not_the_name(tmp_path):
    image = counts(*SIDE)
    save(tmp_path / "a.tif", image).rename(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").planes[0], image)


# --- hand-made files -----------------------------------------------------------------------------


def pack_12_bits(image):
    """Return big-endian packed rows of 12-bit values, as TIFF stores them."""
    rows = []
    for row in image:
        bits = "".join(f"{value:012b}" for value in row)
        bits += "0" * (-len(bits) % 8)
        rows.append(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return b"".join(rows)


def handmade_tiff(path, data, shape, bits=16, photometric=1, compression=1, offset=None):
    """Write a TIFF of one strip byte by byte; no data means a strip without offset and length."""
    start = 8
    directory = start + len(data) + len(data) % 2
    tags = [
        (256, 4, shape[1]),
        (257, 4, shape[0]),
        (258, 3, bits),
        (259, 3, compression),
        (262, 3, photometric),
        (273, 4, offset if offset is not None else start if data else 0),
        (277, 3, 1),
        (278, 4, shape[0]),
        (279, 4, len(data)),
    ]
    entries = b"".join(
        struct.pack("<HHI", code, kind, 1) + struct.pack("<I" if kind == 4 else "<Hxx", value)
        for code, kind, value in tags
    )
    body = data + b"\0" * (len(data) % 2)
    head = struct.pack("<2sHI", b"II", 42, directory)
    path.write_bytes(head + body + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0")
    return path
