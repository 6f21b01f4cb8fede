from __future__ import annotations

import re
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.imaging.sources import path_to_source
from pipeline_lib.settings.base import SLUG


def test_the_same_file_name_in_two_folders_gives_two_sources():
    assert path_to_source("day1/a.tif") != path_to_source("day2/a.tif")
    assert path_to_source("day1/a.tif") == path_to_source("day1/a.tif")


def test_the_name_is_readable():
    assert re.fullmatch(r"well-a1-ome-[0-9a-f]{8}", path_to_source("plate 1/Well A1.ome.tif"))
    assert re.fullmatch(r"field-[0-9a-f]{8}", path_to_source("äöü.tif"))


@given(st.text(min_size=1, max_size=80))
def test_every_path_gives_a_slug(path):
    assert re.fullmatch(SLUG, path_to_source(path))
    assert len(path_to_source(path)) <= 49


def test_parsing_a_workflow_imports_no_image_library():
    code = (
        "import sys, pipeline_lib.imaging.sources\n"
        "print([m for m in ('numpy', 'scipy', 'skimage', 'tifffile') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
