"""Names of fields: a readable part and a hash, so that equal file names in two folders differ."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

READABLE_LENGTH = 40


def path_to_source(path: PurePath | str, position: str | int | None = None) -> str:
    """Return the name under which a raw file's field is kept.

    Parameters
    ----------
    path : path or str
        The path as the sample sheet gives it, after its glob is expanded.
    position : str or int, optional
        Which position of the file it is, where the sheet names one.

    Returns
    -------
    str
        The file's stem in lower case, other characters than letters, digits, ``_`` and ``-``
        replaced, then ``-`` and eight hexadecimal digits of the SHA-256 of the path as given.

    Examples
    --------
    >>> path_to_source("plate 1/Well A1.ome.tif")
    'well-a1-ome-0dcfb4cd'
    """
    text = PurePath(path).as_posix()
    named = PurePath(text).stem if position is None else f"{PurePath(text).stem}-{position}"
    stem = re.sub(r"[^a-z0-9_]+", "-", named.lower()).strip("-_")
    told = text if position is None else f"{text}\0{position}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:8]
    return f"{stem[:READABLE_LENGTH] or 'field'}-{digest}"
