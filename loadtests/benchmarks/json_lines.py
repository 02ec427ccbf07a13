"""The side of a worker: it may run in another library's environment, so nothing of ours is imported here."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any


def answer_all(instructions: Mapping[str, Callable[..., object]]) -> None:
    """For each line: run what it names in ``do``, with its other fields, and print what comes of it."""
    for line in sys.stdin:
        said: dict[str, Any] = json.loads(line)
        print(json.dumps(instructions[said.pop("do")](**said)), flush=True)
