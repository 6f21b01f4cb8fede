from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline_lib.imaging.field_files import FieldFile
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings


def test_planes_are_read_anew_in_each_loop(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(0, 4000, (3, 40, 70)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", counts, photometric="minisblack")
    file = FieldFile(tmp_path / "a.tif", ReadingSettings(axes="TYX"))
    assert (file.shape, file.dtype) == ((3, 40, 70), np.uint16)
    for _ in range(2):
        assert np.array_equal(np.stack(list(file)), counts)
    with pytest.raises(UserError, match=r"a\.tif: .*does not say what its axes are"):
        FieldFile(tmp_path / "a.tif", ReadingSettings())
