"""YAML files that a person wrote: errors in words, and no key twice."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.settings.base import UserError


class _OnceLoader(yaml.SafeLoader):
    """A loader that refuses a key that a mapping holds already; YAML's own takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping, each key once; merged keys (``<<``) may be overruled."""
        seen: dict[Any, yaml.Mark] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    f"`{key}` stands in line {seen[key].line + 1}",
                    node.start_mark,
                    "and again",
                    key_node.start_mark,
                )
            if isinstance(key, Hashable):
                seen[key] = key_node.start_mark
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[Any, Any]:
    """Read a YAML file that holds names with their values.

    Parameters
    ----------
    path : Path
        The file, in UTF-8.

    Returns
    -------
    dict
        Empty for an empty file.

    Raises
    ------
    UserError
        If it is no YAML, no text, no mapping, or names a key twice: with the line.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), _OnceLoader)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise UserError(f"{path}: this is no YAML: {told}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: found {type(value).__name__}, needed names with their values")
    return value
