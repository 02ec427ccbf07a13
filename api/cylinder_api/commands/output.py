"""What commands print: results on stdout (one JSON object with --json), progress on stderr."""

import argparse
import json
import sys
from typing import Any


def show(options: argparse.Namespace, facts: dict[str, Any], sentence: str) -> None:
    """Print the result."""
    print(json.dumps(facts, ensure_ascii=False) if options.json else sentence, flush=True)


def say(sentence: str) -> None:
    """Tell how far it got."""
    print(sentence, file=sys.stderr, flush=True)
