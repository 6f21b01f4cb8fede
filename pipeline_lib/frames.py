"""Tables of results, read back as they were written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

# Columns of names, which may look like numbers (`2024`) or like nothing (`null`).
NAMES = (
    *("concept", "prompt_name", "key", "source", "group", "caption", "name"),
    *("metric", "extractor", "set", "reference", "flags"),
)


def read_frame(path: Path) -> pd.DataFrame:
    """Return a table by the ending of its name, empty cells of text columns as empty text.

    Parameters
    ----------
    path : Path
        A .csv or .tsv file with a header.

    Returns
    -------
    DataFrame
        Numbers where a column holds numbers alone, except columns of names, which are text
        whatever they look like.
    """
    separator = "\t" if path.suffix == ".tsv" else ","
    columns = pd.read_csv(path, sep=separator, nrows=0).columns
    frame = pd.read_csv(
        path,
        sep=separator,
        dtype=dict.fromkeys(NAMES, str),
        keep_default_na=False,
        na_values={name: ["" if name in NAMES else "nan", ""] for name in columns},
    )
    words = frame.select_dtypes(include=["object", "str"]).columns
    return frame.assign(**{column: frame[column].fillna("") for column in words})
