"""A change of a stage's code asks whether its results change.

``result_versions.json`` keeps, beside each stage's version, a hash of the code that the stage runs:
the syntax trees, without docstrings, of its script and of every module of the library that it
imports, directly or not. When this test fails, decide: if results differ, raise the stage's number
in ``pipeline_lib/versions.py``; then write the file anew with
``python -m tests.workflow.test_result_versions``.
"""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

import pytest

from pipeline_lib.versions import RESULT_VERSION

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("result_versions.json")
PACKAGE = "pipeline_lib"
# These carry decisions of their own or reach every stage without shaping its result.
LEFT_OUT = {f"{PACKAGE}.versions", f"{PACKAGE}.command_line"}


def module_path(name: str) -> Path | None:
    """Return the file of a module of the library, or none if it is no module."""
    base = ROOT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


def imported_modules(tree: ast.AST) -> set[str]:
    """Return the library's modules that a syntax tree imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == PACKAGE and module_path(name)}


def without_docstrings(tree: ast.AST) -> ast.AST:
    """Return the tree with docstrings and settings' descriptions blanked."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            body[0].value.value = ""
        if isinstance(node, ast.keyword) and node.arg == "description":
            node.value = ast.Constant("")
    return tree


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def read_code(path: Path) -> tuple[str, frozenset[Path]]:
    """Return a line with a file's path and hash, and the files of the modules that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {module_path(name) for name in imported_modules(tree) - LEFT_OUT}
    text = ast.dump(without_docstrings(tree))
    line = f"{path.relative_to(ROOT)} {hashlib.sha256(text.encode()).hexdigest()}"
    return line, frozenset(filter(None, imported))


def import_closure(script: Path) -> set[Path]:
    """Return the script and all files of the library that it imports, directly or not."""
    waiting, seen = [script], {script}
    while waiting:
        _, imported = read_code(waiting.pop())
        waiting += imported - seen
        seen |= imported
    return seen


def code_hash(script: Path) -> str:
    """Return a hash over the script and its import closure in the library."""
    lines = sorted(read_code(path)[0] for path in import_closure(script))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def stage_record(stage: str) -> dict[str, object]:
    """Return version and code hash of a stage."""
    return {"version": RESULT_VERSION[stage], "code": code_hash(ROOT / f"scripts/{stage}.py")}


@pytest.mark.parametrize("stage", RESULT_VERSION)
def test_code_and_version_were_recorded_together(stage: str) -> None:
    recorded = json.loads(RECORD.read_text())
    assert recorded.get(stage) == stage_record(stage), __doc__


IMAGES = {"QualitySettings", "SplitSettings", "TilingSettings", "IntensitySettings"}
MODELS = {"BaseModelEntry", "Denoising", "Prior", "DecoderSettings"}
AFTER_MODELS = {"TrainingSettings", "SamplingSettings", "EvaluationSettings"}
AT_THE_END = {"ReleaseSettings", "ReportSettings", "SurveySettings", "LabelsSettings"}
AT_THE_END |= {"DetectorSettings", "UpscalerTuning"}
WHOLE = {"Configuration", "SampleRow", "RunRow", "Study"}
NOT_ITS_OWN = {  # settings whose change must ask nothing of these stages
    ("ingest",): IMAGES - {"TilingSettings"} | MODELS | AFTER_MODELS | AT_THE_END,
    ("quality", "split", "tiles"): MODELS | AFTER_MODELS | AT_THE_END,
    ("fetch", "fetch_extractor"): IMAGES | MODELS - {"BaseModelEntry"} | AFTER_MODELS | AT_THE_END,
    ("identifier", "prior"): IMAGES | {"DecoderSettings"} | AFTER_MODELS | AT_THE_END,
    ("nouns", "prior_images"): {"DecoderSettings"} | AFTER_MODELS | AT_THE_END,
    ("latents", "camera"): IMAGES | MODELS | AFTER_MODELS | AT_THE_END,
    ("tune_decoder", "decoder_roundtrip"): IMAGES | AFTER_MODELS | AT_THE_END,
    ("finetune",): {"Prior", "DecoderSettings"} | AT_THE_END,
    ("train_from_scratch",): {"Prior", "DecoderSettings"} | AT_THE_END,
    ("sample", "context_images"): IMAGES
    | {"Prior", "TrainingSettings", "EvaluationSettings"}
    | AT_THE_END,
    ("context_values", "contexts"): MODELS | AFTER_MODELS | AT_THE_END,
    ("features", "diversity"): MODELS | AFTER_MODELS | AT_THE_END,
    ("metrics",): MODELS | AFTER_MODELS - {"EvaluationSettings"} | AT_THE_END,
    ("release",): MODELS | AFTER_MODELS | AT_THE_END - {"ReleaseSettings"},
    ("report", "study"): MODELS | AFTER_MODELS | AT_THE_END - {"ReportSettings"},
    ("survey",): MODELS | AFTER_MODELS | AT_THE_END - {"SurveySettings"},
    ("sweep",): MODELS | AFTER_MODELS | AT_THE_END,
    ("labels",): MODELS | AFTER_MODELS | AT_THE_END - {"LabelsSettings"},
    ("masks",): {"QualitySettings"} | MODELS | AFTER_MODELS | AT_THE_END,
    ("tune_upscaler", "upsample"): IMAGES | AFTER_MODELS | AT_THE_END - {"UpscalerTuning"},
    ("superresolution",): {"QualitySettings"} | AFTER_MODELS | AT_THE_END - {"UpscalerTuning"},
    ("detectors", "downstream"): AFTER_MODELS | AT_THE_END - {"DetectorSettings"},
}


def defined_classes(script: Path) -> set[str]:
    """Return the names of the classes that a script's code defines."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in import_closure(script))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.name for node in nodes if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("stages", NOT_ITS_OWN, ids="-".join)
def test_settings_of_other_stages_do_not_count(stages: tuple[str, ...]) -> None:
    for stage in stages:
        found = defined_classes(ROOT / f"scripts/{stage}.py")
        assert found & (NOT_ITS_OWN[stages] | WHOLE) == set(), stage


def test_every_stage_is_asked_about_settings_of_others() -> None:
    assert {stage for stages in NOT_ITS_OWN for stage in stages} == set(RESULT_VERSION)
    everywhere = defined_classes(ROOT / "pipeline_lib/study/loading.py")
    assert set().union(WHOLE, *NOT_ITS_OWN.values()) <= everywhere


def test_docstrings_and_descriptions_do_not_count() -> None:
    first = ast.parse('def f():\n    "one"\n    return Field(1, description="one")')
    second = ast.parse('def f():\n    "two"\n    return Field(1, description="two")')
    other = ast.parse('def f():\n    "one"\n    return Field(2, description="one")')
    trees = [ast.dump(without_docstrings(tree)) for tree in (first, second, other)]
    assert trees[0] == trees[1] != trees[2]


def test_imports_inside_functions_count() -> None:
    tree = ast.parse("def f():\n    from pipeline_lib import files\n")
    assert "pipeline_lib.files" in imported_modules(tree)


if __name__ == "__main__":
    current = {stage: stage_record(stage) for stage in RESULT_VERSION}
    RECORD.write_text(json.dumps(current, indent=1) + "\n")
