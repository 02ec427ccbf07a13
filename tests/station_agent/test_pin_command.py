"""`station-agent pin`: sets a worker's PIN from what is typed twice, and forgets it again."""

import io
from pathlib import Path

import pytest

from station_agent.cli import main
from station_agent.pins import Pins


def _run(folder: Path, typed: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return main(["pin", "--data", str(folder), "--worker", "worker-1", *words])


def test_a_pin_typed_twice_counts_and_is_forgotten_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = Pins(tmp_path, lambda: 0)
    assert _run(tmp_path, "4711\n4711\n", monkeypatch) == 0
    assert pins.try_pin("worker-1", "4711") == "good"
    assert _run(tmp_path, "", monkeypatch, "--remove") == 0
    assert pins.try_pin("worker-1", "4711") == "wrong"
    assert _run(tmp_path, "", monkeypatch, "--remove") == 1


@pytest.mark.parametrize(("typed", "said"), [("4711\n4712\n", "differ"), ("12\n12\n", "4 to 12 digits")])
def test_what_is_no_pin_changes_nothing_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, said: str
) -> None:
    assert _run(tmp_path, typed, monkeypatch) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
