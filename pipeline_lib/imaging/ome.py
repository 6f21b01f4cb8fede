"""What OME metadata say, as far as a field needs it.

By hand and not by a model of the whole schema, because files of microscopes break it: units such as
``um``, widths of zero and schemas before 2016 are common, and each says enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

MICROMETRES = {"nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}  # in the units of stages but theirs
REFERENCE_FRAME = "reference frame"  # the schema's unit where none is stated
UUID_TAG = ".//{*}TiffData/{*}UUID"


@dataclass(frozen=True)
class OmeMetadata:
    """OME metadata.

    Attributes
    ----------
    root : Element
        The whole of it.
    """

    root: ElementTree.Element

    @property
    def metadata_file(self) -> str | None:
        """Return the file that has the metadata where this one has pixels alone, else None."""
        binary = self.root.find("{*}BinaryOnly")
        return None if binary is None else binary.get("MetadataFile", "")

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of the other files that hold planes, in their order."""
        own = self.root.get("UUID")
        named = (
            one.get("FileName", "")
            for one in self.root.iterfind(UUID_TAG)
            if own is None or one.text != own
        )
        return tuple(dict.fromkeys(filter(None, named)))

    @property
    def positions(self) -> tuple[str, ...]:
        """Return the names of the images, empty where none has one."""
        return _names(self.root.findall("{*}Image"))

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the names of the first image's channels, empty where none has one."""
        pixels = self.root.find(".//{*}Pixels")
        return () if pixels is None else _names(pixels.findall("{*}Channel"))

    @property
    def place(self) -> str | None:
        """Return the stage's place in the only image, to a micrometre, with its label if any.

        None where there are several images, or where the stage's coordinates are not known.
        """
        images = self.root.findall("{*}Image")
        plane = self.root.find(".//{*}Plane")
        if len(images) != 1 or plane is None:
            return None
        sides = [plane.get(f"Position{axis}") for axis in "XY"]
        units = [plane.get(f"Position{axis}Unit", REFERENCE_FRAME) for axis in "XY"]
        try:
            x, y = (
                float(side or "") * MICROMETRES.get(unit, 1.0)
                for side, unit in zip(sides, units, strict=True)
            )
        except ValueError:
            return None
        stage = images[0].find("{*}StageLabel")
        label = "" if stage is None else stage.get("Name", "")
        told = sorted({"\u00b5m" if unit in MICROMETRES else unit for unit in units})
        return f"{label} {x:.0f},{y:.0f} {'/'.join(told)}".strip()

    @property
    def contrast(self) -> str | None:
        """Return the contrast method of the first channel that states one."""
        stated = (one.get("ContrastMethod") for one in self.root.iterfind(".//{*}Channel"))
        return next(filter(None, stated), None)

    @property
    def description(self) -> str | None:
        """Return the text of the first description."""
        return self.root.findtext(".//{*}Description")

    def size(self, axis: str) -> tuple[str | None, str]:
        """Return the length of a voxel along an axis as it is written, and its unit."""
        pixels = self.root.find(".//{*}Pixels")
        name = f"PhysicalSize{axis}"
        return (
            (None, "um") if pixels is None else (pixels.get(name), pixels.get(f"{name}Unit", "um"))
        )


def text_to_ome(text: str | None) -> OmeMetadata | None:
    """Return OME metadata.

    Parameters
    ----------
    text : str or None
        XML, or None where a file has none.

    Returns
    -------
    OmeMetadata or None
        What it says.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If it is no XML.
    """
    return None if text is None else OmeMetadata(ElementTree.fromstring(text))


def _names(elements: list[ElementTree.Element]) -> tuple[str, ...]:
    """Return the names of elements, empty where none has one."""
    names = tuple(element.get("Name", "") for element in elements)
    return names if any(names) else ()
