"""The main job, played with the real pieces: it holds, and it cannot hold when a rule is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).parent / "demo"
WITHOUT_A_RULE = """
import cylinder_trace.admission as admission
admission.OF_THE_CYLINDER = {code: rule for code, rule in admission.OF_THE_CYLINDER.items() if code != "R20"}
"""


def play(*arguments: str, pythonpath: Path | None = None) -> tuple[int, dict[str, Any], str]:
    """Run the demo; its exit status, the JSON object on its last line, and everything it said."""
    environment = {**os.environ, "PYTHONPATH": str(pythonpath) if pythonpath else ""}
    done = subprocess.run(
        [sys.executable, str(DEMO), *arguments], capture_output=True, text=True, env=environment, check=False
    )
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


@pytest.mark.slow
def test_the_main_job_holds_from_the_code_to_the_audit() -> None:
    status, told, story = play()
    assert status == 0, story
    assert told["ok"] is True
    assert told["scanned"] >= 200
    assert len(told["checks"]) >= 10
    assert all(told["checks"].values())
    assert len(told["planted"]) >= 12
    assert all(row["refused"] == row["expected"] >= 1 for row in told["planted"].values())
    assert told["wrongly_refused"] == 0


@pytest.mark.slow
def test_with_one_rule_switched_off_the_demo_fails_and_says_which_cases_slipped_through(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_A_RULE)
    status, told, story = play("--scans", "80", pythonpath=tmp_path)
    assert status == 1, story
    assert told["ok"] is False
    assert told["checks"]["planted_cases_refused"] is False
    slipped = {kind for kind, row in told["planted"].items() if row["refused"] < row["expected"]}
    assert slipped == {"R20 inspection_overdue"}
