"""What a release says it was trained on."""

from __future__ import annotations

import pandas as pd

from pipeline_lib.imaging.sources import path_to_source
from pipeline_lib.release.facts import Source, trained_sources


def sidecar(file: str, position: int | None, sha256: str) -> dict[str, str]:
    return {"source": path_to_source(file, position), "file": file, "sha256": sha256}


def test_a_file_of_many_positions_is_one_file() -> None:
    """Each position that has a row of its own is a field, with a sidecar."""
    sidecars = [sidecar("plate/wells.tif", position, "aa") for position in range(12)]
    sidecars += [sidecar("other/wells.tif", None, "bb"), sidecar("unused.tif", None, "cc")]
    tables = {
        "rods": pd.DataFrame({"source": [one["source"] for one in sidecars[:12]] * 2}),
        "cells": pd.DataFrame({"source": [one["source"] for one in sidecars[11:13]]}),
    }
    assert trained_sources(tables, sidecars) == [
        Source("rods", "wells.tif", "aa"),
        Source("cells", "wells.tif", "aa"),
        Source("cells", "wells.tif", "bb"),
    ]
