from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.settings.base import UserError
from tests.study.folders import Folder


def name_real_images(folder: Folder, **keys: Any) -> None:
    """Give the prior real images of two files, one of them hidden."""
    folder.config["priors"]["class"] |= {"images": "classes"} | keys
    (folder.root / "data/classes").mkdir()
    for name in ("b", "a", ".c"):
        (folder.root / f"data/classes/{name}.tif").write_bytes(b"")


@pytest.mark.parametrize("pattern", ["classes", "classes/*.tif", "c*/?.tif"])
def test_real_class_images_are_found(folder: Folder, pattern: str) -> None:
    name_real_images(folder, images=pattern)
    found = folder.load().prior_files
    assert [path.name for path in found["class"]] == ["a.tif", "b.tif"]
    assert list(found) == ["class"]


def test_real_class_images_that_no_run_uses_are_not_looked_for(folder: Folder) -> None:
    folder.config["priors"]["small"]["images"] = "nowhere"
    assert folder.load().prior_files == {}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"images": "nowhere"}, r"priors\.class\.images: no file matches `nowhere`"),
        ({"images": "r*.tif"}, r"r1\.tif is an image of concept `round` in samples\.tsv"),
        ({"guidance": 2, "steps": 5}, r"priors\.class: .*not drawn: leave guidance, steps out"),
        ({"images": None, "scale": 2}, r"priors\.class: scale without `images`"),
    ],
)
def test_real_class_images_that_cannot_serve_are_refused(
    folder: Folder, keys: dict[str, Any], message: str
) -> None:
    name_real_images(folder, **keys)
    with pytest.raises(UserError, match=message):
        folder.load()


@pytest.mark.parametrize("other", ["hard.tif", "part.tif"])
def test_a_class_image_is_no_subject_by_another_name_either(folder: Folder, other: str) -> None:
    name_real_images(folder, images=other)
    raw = folder.root / "data/r1.tif"
    (folder.root / "data/hard.tif").hardlink_to(raw)
    (folder.root / "data/part.tif").write_bytes(b"")  # a later file of the image in r1.tif

    def first_files(paths: list[Path]) -> list[Path]:
        return [raw if path.name == "part.tif" else path for path in paths]

    with pytest.raises(UserError, match="is an image of concept `round`"):
        folder.load(first_files)
