"""YAML read with the line of every key kept, so that a message can point at it.

What the keys mean does not belong here; `connections.py` says that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

#: Deeper files are none of ours; the bound also ends a file that contains itself by an alias.
DEPTH = 8
TAGS = "tag:yaml.org,2002:"

Path = tuple[str | int, ...]


class MarkedYamlError(ValueError):
    """The text is not usable YAML; `line` is where (from 1), the text says what, without quoting the file."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True)
class MarkedYaml:
    """`value`: dicts with text keys, lists and scalars. `lines`: path of keys and positions -> line (from 1)."""

    value: object
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Line of the longest known beginning of `path`; 1 for an unknown one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str) -> MarkedYaml:
    """Parse one document. Numbers with a point stay text, so that amounts are exact.

    Raises MarkedYamlError for wrong syntax, a key that comes twice in one mapping, or a key that is not text.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MarkedYamlError(_unquoted(error.problem or "unreadable"), mark.line + 1 if mark else 1) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MarkedYamlError("a character that YAML does not allow", line) from None
    lines: dict[Path, int] = {}
    value = None if node is None else _plain(node, (), lines)
    return MarkedYaml(value, lines)


def _unquoted(problem: str) -> str:
    """The parser's words without longer quotes from the file: a misplaced secret must not get into a message."""
    return re.sub(r"'[^']{5,}'", "(…)", problem)


def _plain(node: yaml.Node, path: Path, lines: dict[Path, int]) -> object:
    if len(path) > DEPTH:
        raise MarkedYamlError("nested too deeply", node.start_mark.line + 1)
    if not node.tag.startswith(TAGS):
        raise MarkedYamlError("a tag (!...) has no meaning here; put the value into quotes", node.start_mark.line + 1)
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, place), lines) for place, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise MarkedYamlError("a key must be plain text", line)
        key = str(key_node.value)
        if key in result:
            raise MarkedYamlError(f"the key {key} comes a second time (first on line {lines[(*path, key)]})", line)
        lines[(*path, key)] = line
        result[key] = _plain(value_node, (*path, key), lines)
    return result


def _scalar(node: yaml.Node) -> object:
    tag = node.tag.removeprefix(TAGS)
    if tag == "null":
        return None
    if tag == "bool":
        return str(node.value).lower() in {"yes", "true", "on"}
    if tag == "int" and re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", node.value):
        return int(node.value)
    return str(node.value)
