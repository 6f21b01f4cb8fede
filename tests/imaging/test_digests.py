from __future__ import annotations

import hashlib

import numpy as np

from pipeline_lib.imaging.digests import pixels_to_sha256, stack_to_sha256
from pipeline_lib.imaging.stacks import open_stack, write_stack


def test_hash_is_of_the_pixels_in_rows():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert pixels_to_sha256(image) == hashlib.sha256(bytes(range(12))).hexdigest()
    assert pixels_to_sha256(image.T) != pixels_to_sha256(image)


def test_a_stack_and_its_file_are_one_whatever_the_file_says_beside(tmp_path):
    stack = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_stack(tmp_path / "one.tif", stack, {"role": "one"})
    write_stack(tmp_path / "other.tif", stack, {"role": "other"})
    found = {stack_to_sha256(open_stack(tmp_path / f"{name}.tif")) for name in ("one", "other")}
    assert found == {stack_to_sha256(stack)}
    others = (stack.reshape(2, 4, 3), stack.astype(np.uint16), stack[::-1])
    assert found.isdisjoint({stack_to_sha256(other) for other in others})
