"""Whether a TIFF file is whole: what tifffile says of it, and where its data lie."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from xml.etree import ElementTree

import imagecodecs
import tifffile

from pipeline_lib.settings.base import UserError

DAMAGE = ("series", "TiffPages", "Missing data")
# Micro-Manager tells each file how many positions there are; `tiff_images` sees if more is gone.
HARMLESS = "MMStack series is missing files"
HEADER_BYTES = 8
# What tifffile and its decoders raise on damaged files (benchmarks/fuzz_tiff.py), and what a disk
# or a build without a decoder would. Only calls of theirs are guarded: faults of our own stay seen.
DECODING_ERRORS = (
    imagecodecs.DelayedImportError,
    struct.error,
    ElementTree.ParseError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Refuse a file about which tifffile raises or reports an error while it is read.

    What tifffile only logs is heard at any level of any logger, and with logging disabled, for
    that decides what people read, not what is true of a file.

    Raises
    ------
    UserError
        With what tifffile found.
    """
    messages: list[logging.LogRecord] = []
    try:
        with _heard(messages):
            yield
    except UserError:
        raise
    except DECODING_ERRORS as error:
        raise UserError(
            f"the file cannot be decoded ({type(error).__name__}: {error}); if Fiji opens it, save "
            "it there as an uncompressed TIFF, else copy it again from the microscope"
        ) from error
    _refuse_reported(messages)


@contextmanager
def _heard(messages: list[logging.LogRecord]) -> Iterator[None]:
    """Append what tifffile logs to the list, whatever is set about logging, and show it nowhere."""
    logger = logging.getLogger("tifffile")
    logger.isEnabledFor = logging.WARNING.__le__  # type: ignore[method-assign]
    logger.handle = messages.append  # type: ignore[method-assign]
    try:
        yield
    finally:
        del logger.isEnabledFor, logger.handle


def _refuse_reported(messages: Sequence[logging.LogRecord]) -> None:
    """Refuse a file about which tifffile reported an error, or a gap in its structure."""
    for record in messages:
        text = record.getMessage()
        told = any(word in text for word in DAMAGE) and HARMLESS not in text
        if record.levelno >= logging.ERROR or told:
            raise UserError(
                "the file is damaged, truncated, incomplete or contradicts its own metadata "
                f"(tifffile: {text}); copy it again with all its companion files, or save it anew "
                "in Fiji"
            )


def refuse_truncated(page: tifffile.TiffPage | tifffile.TiffFrame) -> None:
    """Refuse a page whose data lie beyond the end of the file, in its header, or nowhere.

    Parameters
    ----------
    page : TiffPage or TiffFrame
        Of a file that is open.

    Raises
    ------
    UserError
        With what was found.
    """
    size = page.parent.filehandle.size
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if any(count == 0 for _, count in spans):
        raise UserError("parts of the image were never written; copy the file again")
    if any(offset < HEADER_BYTES for offset, _ in spans):
        raise UserError(
            "the file says that its pixels stand in its own header: it was never finished; copy it "
            "again from the microscope"
        )
    if any(offset + count > size for offset, count in spans):
        raise UserError("the file is truncated; copy it again from the microscope")


def refuse_missing_planes(series: tifffile.TiffPageSeries) -> None:
    """Refuse an image of which a plane stands in no file."""
    missing = sum(page is None for page in series.pages)
    if missing:
        raise UserError(
            f"{missing} of {len(series.pages)} planes are in none of the files, though the "
            "metadata promise them: the image is incomplete; copy it again with all its companion "
            "files"
        )
