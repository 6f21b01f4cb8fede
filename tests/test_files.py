from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib import hash_cache
from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    folder_to_sha256,
    provenance,
    read_json,
    sweep,
    value_to_sha256,
    write_json,
)
from pipeline_lib.hash_cache import HashCache


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_a_folder_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for content in ("first", "second"):
        with atomic_path(path) as beside:
            beside.mkdir()
            (beside / content).write_text(content)
    assert [file.name for file in path.iterdir()] == ["second"]


def test_parents_are_made(tmp_path: Path) -> None:
    write_json(tmp_path / "a/b/c.json", {"x": 1})
    assert read_json(tmp_path / "a/b/c.json") == {"x": 1}


def test_nan_is_refused_in_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"x": float("nan")})


def test_hashes_equal_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / ".hidden").write_bytes(b"abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert file_to_sha256(tmp_path / "x") == expected
    assert folder_to_sha256(tmp_path) == {"x": expected}


@given(st.dictionaries(st.text(max_size=4), st.integers(), max_size=6))
def test_value_hash_ignores_the_order_of_keys(value: dict[str, int]) -> None:
    turned = dict(reversed(list(value.items())))
    assert value_to_sha256(value) == value_to_sha256(turned)


def test_provenance_names_stage_inputs_and_packages() -> None:
    made = provenance("tiles", {"size": 8}, split="ab")
    assert made["stage"] == "tiles"
    assert made["inputs"] == {"split": "ab"}
    assert "numpy" in made["packages"]


def test_cache_sees_a_replacement_of_equal_size_and_older_time(tmp_path: Path) -> None:
    path = tmp_path / "raw.tif"
    path.write_bytes(b"one")
    os.utime(path, ns=(10**18, 10**18))
    before = HashCache(tmp_path / "cache.json").file(path)
    replacement = tmp_path / "other"
    replacement.write_bytes(b"two")
    os.utime(replacement, ns=(10**18, 10**18))
    replacement.replace(path)
    assert HashCache(tmp_path / "cache.json").file(path) != before


def test_cache_sees_new_content_of_equal_size_time_and_inode(tmp_path: Path) -> None:
    path = tmp_path / "raw.tif"
    path.write_bytes(b"one")
    os.utime(path, ns=(10**18, 10**18))
    before = HashCache(tmp_path / "cache.json").file(path)
    with path.open("r+b") as handle:
        handle.write(b"two")
    os.utime(path, ns=(10**18, 10**18))
    assert HashCache(tmp_path / "cache.json").file(path) != before


def test_cache_is_written_now_and_then_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(hash_cache, "write_json", lambda path, value: written.append(len(value)))
    cache = HashCache(tmp_path / "cache.json")
    for number in range(200):
        path = tmp_path / f"{number}.tif"
        path.write_bytes(b"one")
        cache.file(path)
    assert len(written) < 20
    cache.write()
    cache.write()
    assert written[-1] == 200 and written.count(200) == 1


def test_cache_is_used_and_survives_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "raw.tif"
    path.write_bytes(b"one")
    cache = tmp_path / "cache.json"
    first = HashCache(cache).file(path)
    known = read_json(cache)
    known[str(path)]["sha256"] = "remembered"
    write_json(cache, known)
    assert HashCache(cache).file(path) == "remembered"
    cache.write_text("{broken")
    assert HashCache(cache).file(path) == first


def test_folder_hash_depends_on_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_text("1")
    cache = HashCache(tmp_path / "cache.json")
    first = cache.folder(folder)
    (folder / "a").rename(folder / "b")
    second = cache.folder(folder)
    (folder / "b").write_text("2")
    assert len({first, second, cache.folder(folder)}) == 3


def test_leftovers_of_a_kill_are_swept(tmp_path: Path) -> None:
    (tmp_path / "step-00000005").mkdir()
    (tmp_path / ".0123abcd-step-00000010").mkdir()
    (tmp_path / ".0123abcd-step-00000010" / "tensors.safetensors").write_bytes(b"half")
    (tmp_path / ".89abcdef-finished.json").write_text("{")
    sweep(tmp_path, "finished.json")
    sweep(tmp_path / "missing")
    assert sorted(path.name for path in tmp_path.iterdir())[0] == ".0123abcd-step-00000010"
    assert len(list(tmp_path.iterdir())) == 2
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]
