"""The documentation is a site whose links all lead somewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLAIN = ("LICENSE", "CITATION.cff", "Dockerfile")
pytest.importorskip("mkdocs", reason="the extra `docs` is not installed: `make docs` does it")


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build a project's documentation as `make docs` does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of what the documentation is made of."""
    root = tmp_path / "project"
    for folder in ("docs", "config", "resources/licences"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "resources/README.md", root / "resources")
    for path in (*ROOT.glob("*.md"), *(ROOT / name for name in ("mkdocs.yml", *PLAIN))):
        shutil.copy(path, root)
    return root


def test_the_readme_is_the_first_page_and_pages_have_the_files_they_link_to(
    copied: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    built = build(copied, site)
    assert built.returncode == 0, built.stderr
    assert "handful of real ones" in (site / "index.html").read_text()
    for name in ("docs/configuration.html", "docs/pictures/demo.png", "config/base_models.yaml"):
        assert (site / name).is_file()


@pytest.mark.parametrize("target", ["nowhere.md", "docs/input.md#nowhere", "config/nowhere.yaml"])
def test_a_link_that_leads_nowhere_fails(copied: Path, tmp_path: Path, target: str) -> None:
    with (copied / "README.md").open("a") as readme:
        readme.write(f"\n[a link]({target})\n")
    built = build(copied, tmp_path / "site")
    assert built.returncode != 0 and "nowhere" in built.stderr


def test_a_page_that_no_menu_names_fails(copied: Path, tmp_path: Path) -> None:
    (copied / "docs/forgotten.md").write_text("# Forgotten\n")
    built = build(copied, tmp_path / "site")
    assert built.returncode != 0 and "forgotten.md" in built.stderr
