"""OME images that are spread over several files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

SIDE = (24, 36)
PLANES = 5
UUID = "urn:uuid:00000000-0000-0000-0000-00000000000{}"


def metadata(names: list[str], own: str) -> str:
    """Return OME metadata of a stack of focal planes, one in each file."""
    blocks = "".join(
        f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="1"><UUID FileName="{name}">{UUID.format(z)}'
        "</UUID></TiffData>"
        for z, name in enumerate(names)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="{own}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        f'Type="uint16" SizeX="{SIDE[1]}" SizeY="{SIDE[0]}" SizeC="1" SizeZ="{PLANES}" SizeT="1">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
    )


def binary_only(name: str, number: int) -> str:
    """Return the metadata of a part that holds pixels alone."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="{UUID.format(number)}"><BinaryOnly MetadataFile="{name}" '
        f'UUID="{UUID.format(0)}"/></OME>'
    )


def write_set(folder: Path, companion: str | None = None) -> tuple[np.ndarray, list[Path]]:
    """Write five focal planes in five files; the first, or a companion, holds the metadata."""
    image = np.random.default_rng(0).integers(1, 4000, (PLANES, *SIDE)).astype("uint16")
    names = [f"z{number}.ome.tif" for number in range(PLANES)]
    root = companion or names[0]
    if companion:
        (folder / companion).write_text(metadata(names, UUID.format(9)))
    for number, name in enumerate(names):
        text = binary_only(root, number)
        if number == 0 and not companion:
            text = metadata(names, UUID.format(0))
        how = {"photometric": "minisblack", "metadata": None, "description": text}
        tifffile.imwrite(folder / name, image[number], **how)
    return image, [folder / name for name in names]
