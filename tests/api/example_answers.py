"""Writes ``api/cylinder_api/example_answers.json``: what a service of generated data answered, operation by operation.

``python tests/api/example_answers.py`` adds answers of operations that have none yet; with ``--all`` all are made anew.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "api")]

from api_fuzz import Fuzz  # noqa: E402
from api_house import House  # noqa: E402
from every_read import ENDLESS  # noqa: E402

import cylinder_api  # noqa: E402

FILE = Path(cylinder_api.__file__).with_name("example_answers.json")
_SECRETS = ("token", "access_token", "otpauth_uri", "secret")
_MOST_ITEMS = 2
_STREAM = (
    'event: change\nid: 4711\ndata: {"version":4711,"subjects":["cylinder/cyl_01"]}\n\n'
    'event: heartbeat\ndata: {"station_id":"st_01","since":4700,"changed":4711,"version":4711,"as_of":1795312800000,'
    '"signature":"…"}\n\n'
)
_LONGEST = 400


def main() -> None:
    """Ask once for everything and keep what is not kept yet."""
    kept = {} if "--all" in sys.argv or not FILE.exists() else json.loads(FILE.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder, House(Path(folder)) as house:
        fuzz = Fuzz(house)
        fuzz.try_good_ones()
        told = {name: _shown(answer) for name, answer in fuzz.answers.items() if answer is not None}
    told[ENDLESS] = _STREAM
    answers = {name: value for name, value in sorted({**told, **kept}.items()) if name in told}
    FILE.write_text(json.dumps(answers, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{len(answers)} answers in {FILE.name}")


def _shown(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: _hidden(value) if name in _SECRETS else _shown(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_shown(item) for item in answer[:_MOST_ITEMS]]
    return answer[:_LONGEST] if isinstance(answer, str) else answer


def _hidden(secret: str) -> str:
    return "otpauth://totp/EXAMPLE" if secret.startswith("otpauth") else "EXAMPLE-TOKEN"


if __name__ == "__main__":
    main()
