from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline_lib.schemas import SCHEMAS, generated_files, model_to_schema, settings_page

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATIONS = sorted(ROOT.glob("config/**/config.yaml"))


def keys_without_description(schema: dict[str, Any]) -> Iterator[str]:
    definitions = {"": schema} | schema.get("$defs", {})
    for name, definition in definitions.items():
        for key, value in definition.get("properties", {}).items():
            if not value.get("description"):
                yield f"{name}.{key}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_has_a_description_and_unknown_ones_are_refused(name: str) -> None:
    schema = json.loads(model_to_schema(SCHEMAS[name]))
    assert list(keys_without_description(schema)) == []
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.parent.name)
def test_shipped_configurations_fit_the_schema(path: Path) -> None:
    schema = json.loads((ROOT / "config/schemas/config.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


def test_the_page_names_every_top_level_key() -> None:
    page = settings_page()
    for model in SCHEMAS.values():
        for key in model.model_fields:
            assert f"`{key}" in page


def test_the_page_names_the_values_that_a_key_may_take() -> None:
    assert "One of `brightfield`, `phase_contrast`, `oblique`, `dic`." in settings_page()


def test_generated_files_are_up_to_date() -> None:
    stale = [
        str(path)
        for path, text in generated_files(ROOT).items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `make schemas`"
