"""Time and memory of reading and judging fields, beside `imread` and `percentile` of NumPy.

A table; exit 1 where a bar is missed. The fields have four million pixels each and the noise of a
camera. The plain way reads each with tifffile and takes two percentiles; the stages `ingest` and
`quality` do all they do, files written and forced to the disk included. All work on the same files
within one run. What a process takes to start is told apart; memory is that of processes of their
own, as the workflow starts them.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import tifffile
from bars import Figure, at_most, print_figures
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
SIDE, FULL_SCALE = 2048, 4095
PERCENTILES = (0.1, 99.9)
INGEST_BAR, QUALITY_BAR, GIGABYTES_BAR = 2.0, 3.0, 1.0
PLANES = 64
THREADS = 2  # as the workflow's rule has
CHILD = (
    "import re, runpy, sys; from pathlib import Path; sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__'); "
    r"print(re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text())[1])"
)


def main() -> int:
    """Measure, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    print(f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        return print_figures(measure(Path(folder), arguments.fields, arguments.side))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=100, help="how many")
    parser.add_argument("--side", type=int, default=SIDE, help="rows and columns of each, pixels")
    return parser.parse_args()


def measure(folder: Path, count: int, side: int) -> Iterator[Figure]:
    """Yield all figures."""
    raw = write_fields(folder, count, side)
    plain = ingest = 0.0
    run(*ingest_call(raw[0], folder))  # the first waits for imports
    for path in raw:
        plain += timed(lambda path=path: np.percentile(tifffile.imread(path), PERCENTILES))
        ingest += timed(lambda path=path: run(*ingest_call(path, folder)))
    quality = timed(lambda: run(*quality_call(raw, folder)))
    yield Figure("imread and percentile: milliseconds a field", 1e3 * plain / count)
    yield Figure("ingest: milliseconds a field", 1e3 * ingest / count)
    yield at_most("ingest: times imread and percentile", ingest / plain, INGEST_BAR)
    yield Figure("quality: milliseconds a field", 1e3 * quality / count)
    yield at_most("quality: times imread and percentile", quality / plain, QUALITY_BAR)
    yield size_beside_raw(raw, folder)
    yield Figure("ingest: seconds to start a process and read one field", start(raw[0], folder))
    yield at_most("ingest, one field: gigabytes", peak(*ingest_call(raw[0], folder)), GIGABYTES_BAR)
    stack = write_stack_of_one_directory(folder, side)
    what = f"ingest, a stack of {PLANES} planes in one directory: gigabytes"
    yield at_most(what, peak(*ingest_call(stack, folder)), GIGABYTES_BAR)
    what = f"quality, {count} fields: gigabytes"
    yield at_most(what, peak(*quality_call(raw, folder)), GIGABYTES_BAR)


def write_fields(folder: Path, count: int, side: int) -> list[Path]:
    """Write noisy fields of different places and return their paths."""
    generator = np.random.default_rng(0)
    paths = [folder / f"raw-{number:03}.tif" for number in range(count)]
    for path in paths:
        picture = add_noise(draw_scene(generator, side), generator)
        tifffile.imwrite(path, picture, photometric="minisblack")
    return paths


def draw_scene(generator: np.random.Generator, side: int) -> npt.NDArray[np.float64]:
    """Return smooth light and dark places on an even ground, counts."""
    structure = ndimage.gaussian_filter(generator.normal(size=(side, side)), 4, mode="wrap")
    structure /= structure.std()
    return 2000 + 250 * structure * (structure > 1)


def add_noise(
    scene: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.uint16]:
    """Return a picture of a camera of 12 bits."""
    noisy = scene + np.sqrt(scene) * generator.normal(size=scene.shape)
    return noisy.clip(0, FULL_SCALE).astype(np.uint16)


def write_stack_of_one_directory(folder: Path, side: int) -> Path:
    """Write a time lapse of ImageJ whose only directory stands for all planes."""
    path = folder / "stack.tif"
    with path.open("wb") as handle:
        one = folder / "one.tif"
        generator = np.random.default_rng(1)
        plane = add_noise(draw_scene(generator, side), generator)
        text = f"ImageJ=1.53t\nimages={PLANES}\nframes={PLANES}\n"
        how = {"metadata": None, "description": text, "photometric": "minisblack"}
        tifffile.imwrite(one, plane, byteorder=">", **how)
        handle.write(one.read_bytes())
        for number in range(1, PLANES):
            handle.write(np.roll(plane, number, 0).astype(">u2").tobytes())
    return path


def ingest_call(path: Path, folder: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return program, settings and paths of reading a field."""
    field = field_path(path, folder)
    paths = {"raw": path, "field": field, "sidecar": field.with_suffix(".json")}
    return "ingest", {"source": path.stem, "reading": {}}, paths


def quality_call(raw: list[Path], folder: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return program, settings and paths of judging all fields."""
    fields = [field_path(path, folder) for path in raw]
    paths = {"fields": fields, "sidecars": [field.with_suffix(".json") for field in fields]}
    made = {"table": folder / "quality.tsv", "picture": folder / "quality.png"}
    made |= {"near-duplicates": folder / "near_duplicates.tsv", "threads": THREADS}
    return "quality", {"thresholds": {}}, {**paths, **made}


def field_path(path: Path, folder: Path) -> Path:
    """Return where a raw file's field lies."""
    return folder / "fields" / f"{path.stem}.tif"


def command(program: str, settings: Mapping[str, Any], paths: Mapping[str, Any]) -> list[str]:
    """Return a program's command line without Python."""
    listed = [str(ROOT / "scripts" / f"{program}.py"), "--settings", json.dumps(settings)]
    for name, value in paths.items():
        listed += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return listed


def run(program: str, settings: Mapping[str, Any], paths: Mapping[str, Any]) -> None:
    """Run a program in this process."""
    given = command(program, settings, paths)
    with patch.object(sys, "argv", given):
        runpy.run_path(given[0], run_name="__main__")


def run_apart(program: str, settings: Mapping[str, Any], paths: Mapping[str, Any]) -> str:
    """Run a program in a process of its own and return the last line that it printed."""
    given = [sys.executable, "-c", CHILD, *command(program, settings, paths)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(given, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def start(path: Path, folder: Path) -> float:
    """Return the seconds that reading a field takes with the start of its process."""
    return timed(lambda: run_apart(*ingest_call(path, folder)))


def peak(program: str, settings: Mapping[str, Any], paths: Mapping[str, Any]) -> float:
    """Return the largest memory of a program that runs in a process of its own, gigabytes."""
    return int(run_apart(program, settings, paths)) * 1024 / 1e9


def size_beside_raw(raw: list[Path], folder: Path) -> Figure:
    """Return how large the fields are beside the raw files."""
    made = sum(field_path(path, folder).stat().st_size for path in raw)
    return Figure(
        "size of the fields, times the raw files", made / sum(p.stat().st_size for p in raw)
    )


def timed(call: Any) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
