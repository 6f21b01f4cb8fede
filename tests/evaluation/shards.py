"""Image sets on disk as the stages leave them, for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.imaging.digests import pixels_to_sha256
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.imaging.writing import image_to_tiff
from pipeline_lib.sampling import shard_files
from pipeline_lib.sampling.manifests import ManifestRow

Images = npt.NDArray[np.uint8]


def to_bytes(values: npt.NDArray[np.floating]) -> Images:
    """Round grey values to the 8-bit scale."""
    return np.rint(values).clip(0, 255).astype(np.uint8)


def draw_fields(seed: int, count: int, side: int) -> Images:
    """Draw fields of blobs on a noisy background: structure that no two fields share."""
    generator = np.random.default_rng(seed)
    points = (generator.random((count, side, side)) < 20 / 64**2) * generator.uniform(
        -1, 1, (count, side, side)
    )
    blobs = ndimage.gaussian_filter(points, (0, 2.5, 2.5))
    values = 128 + 3000 * blobs + generator.normal(0, 3, blobs.shape)
    return to_bytes(values)


def write_tiles(folder: Path, name: str, tiles: Images, sources: Sequence[str]) -> None:
    """Write a stack of tiles and its table."""
    write_stack(folder / f"{name}.tif", tiles)
    lines = ["tile\tsource\tplane\tgroup\ty\tx\tscale\tpixel_size_um\tcaption"]
    lines += [f"{i}\t{source}\t0\t{source}\t0\t0\t1\t0.5\t" for i, source in enumerate(sources)]
    (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def write_shard(
    path: Path,
    images: Images,
    concept: str = "cells",
    first: int = 0,
    bad: Sequence[int] = (),
    prompt: str = "a picture of cells",
    folder: str = "",
) -> Path:
    """Write a shard of synthetic images; those in `bad` count as blank."""
    rows = []
    for number, image in enumerate(images):
        index = first + number
        blank = index in bad
        row = ManifestRow(
            index=index,
            key=f"{index:016x}",
            file=f"{index:06d}.tif",
            concept=concept,
            prompt_name=folder or f"{concept}-64-subject",
            prompt=prompt,
            negative_prompt="",
            model="trial",
            seed=0,
            scheduler="dpm++",
            spacing="model",
            steps=2,
            guidance=3.0,
            guidance_interval="all",
            camera_noise="none",
            height=image.shape[0],
            width=image.shape[1],
            status="blank" if blank else "ok",
            reason="grey levels vary by 0.00, less than 1" if blank else "",
            sha256=pixels_to_sha256(image),
        )
        rows.append(row)
    made = [
        image_to_tiff(image, None, vars(row) | {"synthetic": True})
        for row, image in zip(rows, images, strict=True)
    ]
    shard_files.write_shard(path, zip(rows, made, strict=True))
    return path
