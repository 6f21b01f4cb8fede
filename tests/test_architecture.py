"""Imports run downward only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "pipeline_lib"
BASE = (
    *("settings", "randomness", "files", "frames", "hash_cache", "sheets"),
    *("command_line", "versions"),
)
ALLOWED = {
    "settings": (),
    "study": (*BASE, "imaging", "leaks", "yaml_files"),
    "imaging": BASE,
    "optics": (*BASE, "imaging"),
    "training": (*BASE, "imaging"),
    "models": (*BASE, "imaging", "optics", "training"),
    "decoder": (*BASE, "imaging", "optics", "training", "models"),
    "dreambooth": (*BASE, "imaging", "optics", "training", "models", "decoder"),
    "from_scratch": (*BASE, "imaging", "optics", "training", "models", "decoder", "dreambooth"),
    "superresolution": (
        *(*BASE, "imaging", "optics", "training", "models", "decoder", "dreambooth"),
    ),
    "planning": (
        *(*BASE, "imaging", "optics", "training", "models", "decoder", "dreambooth"),
        *("from_scratch", "detection"),
    ),
    "sampling": (*BASE, "imaging", "optics", "training", "models", "decoder", "dreambooth"),
    "evaluation": (*BASE, "imaging", "sampling"),
    "survey": (*BASE, "imaging", "evaluation"),
    "labels": (*BASE, "imaging", "sampling", "evaluation"),
    "detection": (*BASE, "imaging", "training", "models", "evaluation", "labels"),
    "beginning": (*BASE, "imaging", "decisions"),
    "release": BASE,
    "reporting": (*BASE, "imaging", "sampling", "evaluation", "detection"),
}


def imports(path: Path) -> set[str]:
    """Return the full names of what a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def library_parts(path: Path) -> set[str]:
    """Return the parts of the library that a module imports."""
    known = {entry.stem for entry in LIBRARY.iterdir()}
    found = (name.split(".") for name in imports(path))
    return {name[1] for name in found if name[0] == "pipeline_lib" and name[1:]} & known


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_downward_only(package: str) -> None:
    allowed = {*ALLOWED[package], package}
    wrong = {
        str(path.relative_to(ROOT)): sorted(library_parts(path) - allowed)
        for path in (LIBRARY / package).rglob("*.py")
        if library_parts(path) - allowed
    }
    assert wrong == {}


@pytest.mark.parametrize("package", ["settings", "study"])
def test_what_depends_on_one_module_depends_on_no_other(package: str) -> None:
    assert list((LIBRARY / package).glob("*.py"))
    body = ast.parse((LIBRARY / package / "__init__.py").read_text()).body
    assert [type(node) for node in body] == [ast.Expr]


def test_nothing_imports_snakemake() -> None:
    wrong = [
        str(path)
        for path in LIBRARY.rglob("*.py")
        if any(name.split(".")[0] == "snakemake" for name in imports(path))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("pipeline_lib.settings.configuration", {"torch", "numpy"}),
        ("pipeline_lib.study.loading", {"torch", "scipy", "skimage", "matplotlib"}),
        ("pipeline_lib.study.stages", {"torch", "scipy", "skimage", "matplotlib"}),
        ("pipeline_lib.file_checks", {"torch", "scipy", "skimage", "tifffile", "matplotlib"}),
        ("pipeline_lib.beginning.command", {"torch", "matplotlib"}),
        ("pipeline_lib.prompts", {"torch", "transformers", "scipy"}),
        ("pipeline_lib.dreambooth.prompt_checks", {"torch", "transformers", "scipy"}),
        ("pipeline_lib.models.fetching", {"torch", "transformers", "scipy"}),
        ("pipeline_lib.imaging.tiling", {"torch"}),
        ("pipeline_lib.imaging.reading", {"torch"}),
        ("pipeline_lib.imaging.header_reading", {"torch", "skimage", "matplotlib"}),
        ("pipeline_lib.imaging.camera_noise", {"torch", "skimage", "matplotlib"}),
        ("pipeline_lib.evaluation.concept_metrics", {"torch"}),
        ("pipeline_lib.evaluation.image_sets", {"torch"}),
        ("pipeline_lib.evaluation.extractors.entries", {"torch", "transformers", "scipy"}),
        ("pipeline_lib.evaluation.extractors.loading", {"transformers", "diffusers"}),
        ("pipeline_lib.reporting.pages", {"torch"}),
        ("pipeline_lib.imaging.masks", {"torch"}),
        ("pipeline_lib.detection.comparison", {"torch"}),
        ("pipeline_lib.survey.pages", {"torch", "scipy", "pandas"}),
        ("pipeline_lib.survey.words", {"torch", "skimage", "matplotlib"}),
    ],
)
def test_importing_stays_light(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert unwanted.isdisjoint(done.stdout.split())
