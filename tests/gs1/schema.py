"""GS1's JSON schema of EPCIS 2.0, asked with its formats: without them it lets nearly everything through."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match


def schema_fault(document: Any, folder: Path) -> str | None:
    """What the schema finds wrong first in a document or in an event that brings its own context; None: nothing."""
    error = best_match(validator(folder).iter_errors(document))
    return f"{error.json_path}: {error.message}" if error else None


@cache
def validator(folder: Path) -> Any:
    """The schema's validator with formats on; reading the schema takes longer than asking it."""
    schema = json.loads((folder / "epcis/EPCIS-JSON-Schema.json").read_text("utf-8"))
    return Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)


def example_paths(folder: Path) -> Iterator[Path]:
    """GS1's 47 example documents."""
    return iter(sorted((folder / "epcis/examples").rglob("*.jsonld")))
