"""The training's log, a CSV in the state folder that a resumed run continues exactly."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

FIRST, LAST = "step", "seconds"


class History:
    """Rows of figures, appended step by step.

    Parameters
    ----------
    path : Path
        The CSV. Rows behind `position` are cut off: they stem from steps that were not saved.
    figures : sequence of str
        Names of the columns between the step and the seconds.
    position : int
        Bytes that belong to the checkpoint that is resumed; 0 starts anew, with a header.
    """

    def __init__(self, path: Path, figures: Sequence[str], position: int = 0) -> None:
        self.columns = (FIRST, *figures, LAST)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("r+b" if position else "wb")
        self._file.truncate(position)
        self._file.seek(position)
        if not position:
            self._write(self.columns)

    def append(self, figures: Mapping[str, object]) -> None:
        """Append a row; missing figures stay empty, unknown ones are an error."""
        unknown = set(figures) - set(self.columns)
        if unknown:
            raise KeyError(f"the history has no columns {sorted(unknown)}")
        self._write([figures.get(column, "") for column in self.columns])

    def _write(self, values: object) -> None:
        """Write one line."""
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(values)
        self._file.write(line.getvalue().encode())

    def flush(self) -> int:
        """Force all rows to the disk and return the position behind the last."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Flush and close the file."""
        self.flush()
        self._file.close()
