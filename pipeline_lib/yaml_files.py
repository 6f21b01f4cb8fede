"""YAML files that a person wrote: errors in words, and no key twice."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
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
        The file, in UTF-8; the mark of an encoding at its start may be there.

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
        value = yaml.load(_read_text(path), _OnceLoader)
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise UserError(f"{path}: this is no YAML: {told}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: found {type(value).__name__}, needed names with their values")
    return value


def _read_text(path: Path) -> str:
    """Return a file's text; refuse what Snakemake cannot read either."""
    content = path.read_bytes()
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise UserError(
            f"{path}: this is UTF-16, as Windows saves `Unicode` and `UTF-16 LE`; needed is UTF-8: "
            "save the file again with the encoding `UTF-8`"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}: byte {error.start}, in line {line}, is not UTF-8; save the file again with "
            "the encoding `UTF-8`"
        ) from None
