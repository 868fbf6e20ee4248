"""The reference of a wire, from its document in `spec/`: operations, schemas, examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .plain import code, fenced, slug, table

METHODS = ("get", "put", "post", "delete", "patch")


class Wire:
    """A document of OpenAPI, as a page."""

    def __init__(self, document: dict[str, Any], examples: Path) -> None:
        self.document = document
        self.examples = examples

    def page(self) -> str:
        """The page: what the wire is, its calls by tag, then the schemas."""
        info = self.document["info"]
        text = f"# {info['title']}\n\n{info['description']}\n"
        for scheme in self.document["components"].get("securitySchemes", {}).values():
            if "description" in scheme:
                text += f"- {one_paragraph(scheme['description'])}\n"
        for tag in self.document["tags"]:
            text += f"\n## Calls: {tag['name']}\n\n{tag['description'].strip()}\n\n"
            for path, method, operation in self.operations():
                if tag["name"] in operation.get("tags", []):
                    text += self.operation(path, method, operation)
        text += self.callbacks()
        text += "## Schemas\n\n"
        for name, schema in self.document["components"]["schemas"].items():
            text += self.schema(name, schema)
        return text

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The calls: path, method, operation."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method]

    def callbacks(self) -> str:
        """What the server itself calls."""
        text = ""
        for _, _, operation in self.operations():
            for callback in operation.get("callbacks", {}).values():
                for item in callback.values():
                    for method in METHODS:
                        if method in item:
                            text += "## Calls of the server\n\n" + self.operation(
                                "webhook_url", method, item[method]
                            )
        return text

    def operation(self, path: str, method: str, operation: dict[str, Any]) -> str:
        """A call: what it does, its parameters, its body, its responses."""
        text = f"### {operation['summary']}\n\n" + fenced("text", f"{method.upper()} {path}")
        text += operation.get("description", "").strip() + "\n\n"
        parameters = [self.resolved(parameter) for parameter in operation.get("parameters", [])]
        text += table(
            ["parameter", "in", "", "what it is"],
            [
                [
                    code(each["name"]),
                    each["in"],
                    "required" if each.get("required") else "",
                    sentences(self.kind(each["schema"]), each.get("description", "")),
                ]
                for each in parameters
            ],
        )
        bodies = operation.get("requestBody", {}).get("content", {})
        for media, body in bodies.items():
            text += f"The body is {code(media)}: {self.kind(body['schema'])}.\n\n"
        rows = []
        for status, response in operation["responses"].items():
            response = self.resolved(response)
            meaning = one_paragraph(response["description"])
            if status[1:] == "XX":  # the same for every call
                meaning = re.split(r"(?<=\.) ", meaning)[0]
            contents = [self.kind(content["schema"]) for content in response.get("content", {}).values()]
            rows.append([status, ", ".join(contents), meaning])
        assert isinstance(text, str)
        return text + table(["status", "body", "what it means"], rows)

    def schema(self, name: str, schema: dict[str, Any]) -> str:
        """A schema: what it is, its fields, an example."""
        text = f"### {name}\n\n{schema.get('description', '').strip()}\n\n"
        if values := schema.get("enum"):
            text += "One of " + ", ".join(code(str(value)) for value in values) + ".\n\n"
        if "x-codes" in schema:
            text += "[Each code has a page](errors/index.md).\n\n"
        required = set(schema.get("required", ()))
        rows = [
            [
                code(field),
                self.kind(value),
                "required" if field in required else "",
                one_paragraph(self.described(value)),
            ]
            for field, value in schema.get("properties", {}).items()
        ]
        text += table(["field", "type", "", "what it is"], rows)
        example = next(iter(sorted(self.examples.glob(f"{name}.*.json"))), None)
        if example is not None:
            text += fenced("json", json.dumps(json.loads(example.read_text()), indent=2, ensure_ascii=False))
        return text

    def described(self, schema: dict[str, Any]) -> str:
        """What is said of a field, or else of its type."""
        if "description" in schema:
            return str(schema["description"])
        target = self.resolved(schema)
        return str(target.get("description", "")) if target is not schema else ""

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """A part of the document, or the one that it refers to."""
        if "$ref" not in part or not part["$ref"].startswith("#/"):
            return part
        target: Any = self.document
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        assert isinstance(target, dict)
        return target

    def kind(self, schema: dict[str, Any]) -> str:
        """The type of a value, with a link where it has a name."""
        if "$ref" in schema:
            file, _, name = schema["$ref"].partition("#/components/schemas/")
            page = {"openapi.yaml": "http.md", "": ""}[file.removeprefix("./")]
            return f"[{name}]({page}#{slug(name)})"
        if "allOf" in schema:
            return self.kind(schema["allOf"][0])
        if schema.get("type") == "array":
            return f"list of {self.kind(schema['items'])}" if schema["items"] else "list"
        if "enum" in schema:
            return " or ".join(code(str(value)) for value in schema["enum"])
        if "oneOf" in schema:
            return " or ".join(self.kind(each) for each in schema["oneOf"])
        return str(schema.get("format") or schema.get("type") or "any value")


def one_paragraph(text: str) -> str:
    """Text of the document, which is Markdown, in one line."""
    return " ".join(text.split())


def sentences(kind: str, text: str) -> str:
    return f"{kind}. {one_paragraph(text)}" if text else kind
