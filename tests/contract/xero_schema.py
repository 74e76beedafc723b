"""Xero's OpenAPI file as a judge of bodies: by address and method, or by the name of a schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_URI = "urn:xero"
#: Fields of real answers (and of the file's own examples) that its schemas do not list.
_UNLISTED = {"ID", "DateString", "DueDateString", "UpdatedDateUTCString"}
_ENVELOPE = {"Id", "Status", "ProviderName", "DateTimeUTC", "pagination"}


@dataclass(frozen=True)
class XeroSchema:
    """The document, `nullable` turned into types that JSON Schema knows."""

    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> XeroSchema:
        return cls(_with_null_types(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)))

    @cached_property
    def registry(self) -> Registry[Any]:
        resource: Resource[Any] = Resource.from_contents(self.document, default_specification=DRAFT202012)
        return Registry().with_resource(_URI, resource)

    def schema_of(self, method: str, address: str, *, sent: bool = False) -> dict[str, Any]:
        """What an address answers with 200, or what is sent to it."""
        operation = self.document["paths"][address][method.lower()]
        part = operation["requestBody"] if sent else operation["responses"]["200"]
        if "$ref" in part:
            _, _, group, name = part["$ref"].split("/")
            part = self.document["components"][group][name]
        return self._absolute(part["content"]["application/json"]["schema"])

    def named(self, name: str) -> dict[str, Any]:
        return {"$ref": f"{_URI}#/components/schemas/{name}"}

    def faults(self, schema: Mapping[str, Any], body: object) -> list[str]:
        """Everything that is wrong with a body, unknown fields too; empty when it is right."""
        validator = Draft202012Validator(schema, registry=self.registry, format_checker=FormatChecker(["uuid"]))
        wrong = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(body)]
        return wrong + [f"{path}: unknown field" for path in self._unknown(schema, body, "$")]

    def _absolute(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {"$ref": f"{_URI}{schema['$ref']}"} if "$ref" in schema else dict(schema)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in schema:
            return schema
        name = schema["$ref"].rsplit("/", 1)[-1]
        found: Mapping[str, Any] = self.document["components"]["schemas"][name]
        return found

    def _unknown(self, schema: Mapping[str, Any], body: object, path: str) -> Iterator[str]:
        schema = self._resolved(schema)
        if isinstance(body, list):
            for number, each in enumerate(body):
                yield from self._unknown(schema.get("items", {}), each, f"{path}[{number}]")
        elif isinstance(body, dict) and "properties" in schema:
            known = schema["properties"]
            for name, value in body.items():
                if name in known:
                    yield from self._unknown(known[name], value, f"{path}.{name}")
                elif name not in _UNLISTED and not (path == "$" and name in _ENVELOPE):
                    yield f"{path}.{name}"


def _with_null_types(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_null_types(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _with_null_types(each) for name, each in value.items()}
    if changed.pop("nullable", False) is True and isinstance(changed.get("type"), str):
        changed["type"] = [changed["type"], "null"]
    return changed
