"""The table of bad records at the service's door: an upload is refused in the same words, nothing of it is taken."""

import json
from pathlib import Path
from typing import Any

import pytest

from cylinder_api.acts.journal import SignedHead, read_lines

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors/events.json").read_text("utf-8")
)
HEAD = SignedHead(seq=0, hash="0" * 64, signature="x")


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: str(vector["says"]))
def test_an_uploaded_record_is_refused_in_the_same_words_as_everywhere(vector: dict[str, Any]) -> None:
    grown = vector.get("grown")
    text = vector["text"].replace("@", grown["piece"] * grown["times"]) if grown else vector["text"]
    lines, trouble = read_lines([text], "device-1", HEAD)
    assert lines == []
    assert trouble is not None
    assert trouble.code == "bad_record"
    assert vector["because"] in trouble.detail
