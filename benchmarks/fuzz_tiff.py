"""Read damaged TIFF files beside tifffile: right, or refused in words.

A table; exit 1 where a bar is missed. Each file is one of many kinds, with bytes changed, cut off,
moved or doubled, the same for the same number. Whatever is read must be what tifffile reads of the
same file, bit for bit; whatever is not must be refused by `UserError`, within seconds. A process of
its own reads, so that a crash of a decoder is seen, too.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from bars import Figure, at_most, print_figures

from pipeline_lib.imaging.header_reading import path_to_header
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

SHAPE = (3, 24, 36)
SECONDS = 10
ADDRESS_SPACE = 6 * 2**30
HEAD = 400  # bytes at either end of a file, where its structure stands
RAMP = np.stack([np.arange(256, dtype=np.uint16) * 257] * 3)
GREY = {"photometric": "minisblack"}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"metadata": {"axes": "TYX"}},
    "big-endian": {"byteorder": ">", "metadata": {"axes": "TYX"}},
    "big": {"bigtiff": True, "metadata": {"axes": "TYX"}},
    "several strips": {"rowsperstrip": 5, "metadata": None},
    "tiles": {"tile": (16, 16), "metadata": {"axes": "TYX"}},
    "white at 0": {"photometric": "miniswhite", "metadata": {"axes": "TYX"}},
    "lzw": {"compression": "lzw", "metadata": {"axes": "TYX"}},
    "zlib": {"compression": "zlib", "predictor": True, "metadata": {"axes": "TYX"}},
    "zlib tiles": {"compression": "zlib", "tile": (16, 16), "metadata": {"axes": "TYX"}},
    "zstd": {"compression": "zstd", "metadata": None},
    "packbits": {"compression": "packbits", "metadata": {"axes": "TYX"}},
    "jpeg 2000": {"compression": "jpeg2000", "metadata": {"axes": "TYX"}},
    "ImageJ": {"imagej": True, "metadata": {"axes": "TYX"}},
    "OME": {"ome": True, "metadata": {"axes": "TYX"}},
    "grey as colours": {"photometric": "rgb", "metadata": {"axes": "TYXS"}},
    "grey as colours, lzw": {"photometric": "rgb", "compression": "lzw", "metadata": None},
    "colour table": {"photometric": "palette", "colormap": RAMP, "metadata": {"axes": "TYX"}},
    "OME zlib": {"ome": True, "compression": "zlib", "metadata": {"axes": "TYX"}},
}
TYPES = ("uint8", "uint16", "int16", "float32")


class HangError(BaseException):
    """Reading took too long; no refusal may catch this."""


def main() -> int:
    """Damage, read, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        return print_figures(measure(arguments.number, arguments.first, Path(folder)))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, help="how many files to damage")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    return parser.parse_args()


def measure(number: int, first: int, folder: Path) -> Iterator[Figure]:
    """Yield all figures, and print what went wrong by the file's number."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    reader = context.Process(target=read_all, args=(range(first, first + number), folder, queue))
    begun = time.monotonic()
    reader.start()
    verdicts: list[str] = []
    while len(verdicts) < number and (reader.is_alive() or not queue.empty()):
        if queue.empty():
            time.sleep(0.01)
            continue
        verdict, told = queue.get()
        verdicts.append(verdict)
        if verdict not in ("read", "refused"):
            print(f"file {first + len(verdicts) - 1}: {verdict}: {told}", flush=True)
    reader.join()
    counts = Counter(verdicts)
    yield Figure("files", number)
    yield Figure("read as tifffile reads them", counts["read"])
    yield Figure("refused in words", counts["refused"])
    yield at_most("crashes", counts["crash"] + number - len(verdicts), 0)
    yield at_most("hangs", counts["hang"], 0)
    yield at_most("silent differences", counts["difference"], 0)
    yield Figure(
        "milliseconds a file, both ways of reading", 1e3 * (time.monotonic() - begun) / number
    )


def read_all(numbers: range, folder: Path, queue: Any) -> None:
    """Damage and read files in turn and put a verdict on each into the queue."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    originals = write_originals(folder)
    path = folder / "damaged.tif"
    for number in numbers:
        path.write_bytes(number_to_damaged(number, originals))
        queue.put(path_to_verdict(path))


def write_originals(folder: Path) -> list[bytes]:
    """Return the bytes of a whole file of every kind and type."""
    made = []
    for kind, how in KINDS.items():
        for name in TYPES:
            if not can_hold(kind, name):
                continue
            path, image = folder / "original.tif", draw_image(name)
            if "colours" in kind:
                image = np.stack([image] * 3, axis=-1)
            tifffile.imwrite(path, image, **{**GREY, **how})
            made.append(path.read_bytes())
    return made


def can_hold(kind: str, name: str) -> bool:
    """Tell whether files of a kind hold samples of a type."""
    if kind == "colour table":
        return name == "uint8"
    return name != "float32" or (kind != "jpeg 2000" and "white" not in kind)


def draw_image(name: str) -> npt.NDArray[Any]:
    """Return a stack of noise."""
    generator = np.random.default_rng(0)
    high = min(4000, np.iinfo(name).max) if np.dtype(name).kind in "iu" else 4000
    return generator.integers(1, high, SHAPE).astype(name)


def number_to_damaged(number: int, originals: list[bytes]) -> bytes:
    """Return the bytes of the file of a number."""
    generator = np.random.default_rng(key_of("fuzz_tiff", number))
    data = bytearray(originals[number % len(originals)])
    for _ in range(generator.integers(1, 4)):
        DAMAGES[generator.integers(len(DAMAGES))](data, generator)
    return bytes(data)


def change_bytes(data: bytearray, generator: np.random.Generator) -> None:
    """Set some bytes to others, half of the time near an end, where the structure stands."""
    for _ in range(generator.integers(1, 9)):
        data[draw_place(data, generator)] = generator.integers(256)


def change_bit(data: bytearray, generator: np.random.Generator) -> None:
    """Turn one bit over."""
    data[draw_place(data, generator)] ^= 1 << int(generator.integers(8))


def set_extreme(data: bytearray, generator: np.random.Generator) -> None:
    """Set two or four bytes to a number that programs stumble over."""
    value = (b"\0\0", b"\xff\xff", b"\0" * 4, b"\xff" * 4, b"\1\0\0\0", b"\0\0\0\x7f")
    chosen = value[generator.integers(len(value))]
    place = draw_place(data, generator)
    data[place : place + len(chosen)] = chosen


def cut_off(data: bytearray, generator: np.random.Generator) -> None:
    """Cut the file off."""
    del data[draw_place(data, generator) + 1 :]


def move_span(data: bytearray, generator: np.random.Generator) -> None:
    """Write a part of the file over another part."""
    length = int(generator.integers(1, 40))
    source, target = draw_place(data, generator), draw_place(data, generator)
    span = data[source : source + length]
    data[target : target + len(span)] = span


def double_span(data: bytearray, generator: np.random.Generator) -> None:
    """Insert a part of the file once more, so that all behind it is elsewhere."""
    place = draw_place(data, generator)
    data[place:place] = data[place : place + int(generator.integers(1, 9))]


def draw_place(data: bytearray, generator: np.random.Generator) -> int:
    """Return a place in the file, half of the time near an end."""
    length = len(data)
    near = min(HEAD, length)
    where = generator.random()
    if where < 0.3:
        return int(generator.integers(near))
    return int(length - 1 - generator.integers(near) if where < 0.6 else generator.integers(length))


DAMAGES: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    change_bytes,
    change_bit,
    set_extreme,
    cut_off,
    move_span,
    double_span,
)


def path_to_verdict(path: Path) -> tuple[str, str]:
    """Return whether a file was read, refused, or what went wrong, and words about it."""
    try:
        with limited(SECONDS):
            refuse_odd_header(path)
            planes = read_grey_or_colours(path)
    except UserError as error:
        return "refused", str(error)
    except HangError:
        return "hang", f"more than {SECONDS} s"
    except Exception as error:
        return "crash", f"{type(error).__name__}: {error}"
    return compare(path, planes)


def refuse_odd_header(path: Path) -> None:
    """Read the header as planning does, to hold only what JSON can keep."""
    try:
        json.dumps(asdict(path_to_header(path)), allow_nan=False)
    except UserError:
        return  # reading has to refuse it, or to read it, on its own


def read_grey_or_colours(path: Path) -> npt.NDArray[Any]:
    """Return the planes of a file of either kind."""
    try:
        return np.asarray(read_field(path, ReadingSettings(axes="TYX")).planes)
    except UserError:
        return np.asarray(read_field(path, ReadingSettings(axes="TYXS")).planes)


def compare(path: Path, planes: npt.NDArray[Any]) -> tuple[str, str]:
    """Return whether planes are what tifffile reads of the file."""
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            expected, kind = series.asarray(), series.keyframe.photometric.name
            bits = series.keyframe.bitspersample
            if "S" in series.axes:  # what differs between them is refused
                expected = expected.take(0, axis=series.axes.index("S"))
    except Exception as error:
        return "difference", f"tifffile cannot read it: {type(error).__name__}: {error}"
    if kind == "MINISWHITE":
        top = {"u": 2**bits - 1, "i": -1, "f": 0}[expected.dtype.kind]
        expected = (top - expected).astype(expected.dtype)
    if planes.size != expected.size or not np.array_equal(planes.ravel(), expected.ravel()):
        return (
            "difference",
            f"{planes.dtype} {planes.shape}, tifffile {expected.dtype} {expected.shape}",
        )
    return "read", ""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `HangError` after some time."""

    def stop(*_: object) -> None:
        raise HangError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main())
