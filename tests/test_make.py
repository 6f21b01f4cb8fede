"""Targets of the Makefile that can be tried without installing anything."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make in the project or another folder."""
    return subprocess.run(
        ["make", "--file", str(ROOT / "Makefile"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_profile_becomes_a_link_and_stays_one(tmp_path: Path) -> None:
    link = tmp_path / ".config/snakemake/slurm"
    for _ in range(2):
        assert make("slurm-profile", f"HOME={tmp_path}").returncode == 0
        assert link.is_symlink() and link.resolve() == ROOT / "profiles/slurm"
    assert not (ROOT / "profiles/slurm/slurm").exists()


def test_a_folder_in_the_profiles_place_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".config/snakemake/slurm"
    folder.mkdir(parents=True)
    refused = make("slurm-profile", f"HOME={tmp_path}")
    assert refused.returncode != 0 and "is no link: rename it" in refused.stdout
    assert list(folder.iterdir()) == []


# Where the rules have trainings keep their states, and the recipes of the embedded models.
STATES = {
    found
    for rules in (ROOT / "rules").glob("*.smk")
    for found in re.findall(r'state="(work/\w+)"', rules.read_text())
}
BUILDS = ("work/base-model/state", "work/base-model-x4/state")
TRAININGS = (*BUILDS, *(f"{folder}/key/state" for folder in sorted(STATES)))
ORDERS = ("work/orders/output.json",)
DOWNLOADS = ("work/base_models/name/model", "work/extractors/name/model")
MADE_ANEW = ("work/hashes.json", "work/lists/a.txt", "results/demo/a", "logs/a", ".snakemake/a")
USER_S = ("config/mine/config.yaml", "data/image.tif")


@pytest.mark.parametrize(
    ("target", "left"),
    [("clean", {*TRAININGS, *ORDERS, *DOWNLOADS, *USER_S}), ("clean-all", {*USER_S})],
)
def test_cleaning_leaves_what_took_long_unless_asked(
    tmp_path: Path, target: str, left: set[str]
) -> None:
    for name in (*TRAININGS, *ORDERS, *DOWNLOADS, *MADE_ANEW, *USER_S):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for _ in range(2):
        assert make(target, folder=tmp_path).returncode == 0
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path).as_posix() for path in files} == left
