"""The contract: the OpenAPI document is committed, and says by example what every body looks like."""

import json
from typing import Any

import jsonschema_rs
import pytest

from contract import OPENAPI, openapi, openapi_text

BYTES = "application/octet-stream"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi()


def test_the_committed_document_is_what_the_service_serves(document: dict[str, Any]) -> None:
    assert OPENAPI.read_text("utf-8") == openapi_text(document), "what callers rely on has changed: make openapi"


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert json.loads(openapi_text(document)) == document


def bodies(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every body of a request or an answer: operation, media type, content."""
    found = []
    for methods in document["paths"].values():
        for operation in methods.values():
            parts = [operation.get("requestBody", {}), *operation["responses"].values()]
            contents = [content for part in parts for content in part.get("content", {}).items()]
            found += [(operation["operationId"], media_type, content) for media_type, content in contents]
    return found


def test_every_body_has_an_example_and_each_example_fits_its_description(document: dict[str, Any]) -> None:
    assert len(bodies(document)) > 500
    for operation, media_type, content in bodies(document):
        if media_type == BYTES:
            continue
        examples = [content["example"]] if "example" in content else _named(document, content)
        assert examples, (operation, media_type)
        schema = {**content.get("schema", {}), "components": document["components"]}
        for example in examples if media_type.endswith("json") else ():
            errors = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(example)]
            assert errors == [], (operation, errors)


def _named(document: dict[str, Any], content: dict[str, Any]) -> list[Any]:
    references = [example["$ref"].rpartition("/")[2] for example in content.get("examples", {}).values()]
    return [document["components"]["examples"][name]["value"] for name in references]
