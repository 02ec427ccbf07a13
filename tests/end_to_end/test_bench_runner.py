"""The bench runner: what it measures, in which order, what it calls met, and what it writes down."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

# the load tests are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

from benchmarks.catalogue import ROWS
from benchmarks.command import main
from benchmarks.measure import QUICK, BenchError, Better, Pair, PeerMissing, Row, Scale, Sizes, measure, meets
from benchmarks.peer_environment import peer_python
from benchmarks.report import describe_run, markdown
from benchmarks.yardstick import in_verifies

ROOT = Path(__file__).parents[2]
SIZES: list[tuple[str, Sizes]] = [("small", "usual"), ("both", "both"), ("large", "large")]
MARKS: dict[Sizes, str] = {"usual": "", "both": " (both)", "large": " (large)"}
ROW_FIELDS = "name unit ours other ratio better goal kind met repeats spread in_verifies".split()


def row(
    name: str,
    ours: Sequence[float],
    other: Sequence[float],
    goal: float = 1.0,
    better: Better = "higher",
    order: list[str] | None = None,
    *,
    sizes: Sizes = "usual",
) -> Row:
    """A row whose sides answer with these figures, one after the other, the first one at the warm-up."""

    @contextmanager
    def prepare(_scale: Scale) -> Iterator[Pair]:
        figures = {"ours": iter(ours), "other": iter(other)}

        def side(which: str) -> float:
            if order is not None:
                order.append(which)
            return next(figures[which])

        yield Pair(lambda: side("ours"), lambda: side("other"))

    return Row(name, "per second", better, goal, "bound", "a fake", prepare, sizes)


def no_disk(_scale: Scale) -> AbstractContextManager[Pair]:
    raise BenchError("the disk is gone; put it back")


def no_index(_scale: Scale) -> AbstractContextManager[Pair]:
    raise PeerMissing("cannot install it: no package index within reach")


EVEN = [1.0] * 6
WITHOUT_PEER = Row("fake.peer", "per second", "higher", 1.0, "peer", "a library", no_index)
UNMEASURABLE = Row("fake.unmeasurable", "per second", "higher", 1.0, "bound", "a fake", no_disk)


def test_the_sides_take_turns_at_going_first_after_a_warm_up() -> None:
    order: list[str] = []
    measure(row("fake", EVEN, EVEN, order=order), QUICK)
    warm_up, rounds = order[:2], order[2:]
    assert warm_up == ["ours", "other"]
    assert rounds == ["ours", "other", "other", "ours", "ours", "other", "other", "ours", "ours", "other"]


def test_the_median_round_is_the_answer_and_the_spread_shows_the_others() -> None:
    result = measure(row("fake", [99, 6, 1, 9, 2, 4], [1, 2, 2, 2, 2, 2]), QUICK)
    assert (result.ours, result.other, result.ratio) == (4, 2, 2.0)
    assert result.spread == (0.5, 4.5)
    assert result.repeats == 5


def test_the_warm_up_does_not_count() -> None:
    result = measure(row("fake", [1000, 1, 1, 1, 1, 1], EVEN), QUICK)
    assert result.spread == (1.0, 1.0)


@pytest.mark.parametrize(
    ("ratio", "goal", "better", "met"),
    [
        (0.5, 0.5, "higher", True),
        (0.49, 0.5, "higher", False),
        (0.4, 0.4, "lower", True),
        (0.41, 0.4, "lower", False),
    ],
)
def test_a_goal_is_a_bound_on_the_ratio(ratio: float, goal: float, better: Better, met: bool) -> None:
    assert meets(ratio, goal, better) is met


def test_the_results_file_says_what_was_measured_where_and_when(tmp_path: Path) -> None:
    rows = [row("fake.met", EVEN, EVEN), row("fake.missed", EVEN, EVEN, goal=2.0)]
    assert main(["--quick", "--results", str(tmp_path)], rows) == 0
    document = json.loads((tmp_path / "latest.json").read_text())
    said = ["machine", "versions", "settings", "commit", "verify_us", "taken_at", "took_s", "rows", "not_measured"]
    assert list(document) == said
    assert document["machine"]["cores"] >= 1
    assert document["versions"]["cryptography"]
    assert document["settings"] == {"size": "quick", "repeats": 5, "factor": 0.1, "only": ""}
    met, missed = document["rows"]
    assert list(met) == ROW_FIELDS
    assert (met["name"], met["met"], met["spread"]) == ("fake.met", True, [1.0, 1.0])
    assert (missed["name"], missed["met"]) == ("fake.missed", False)


def test_a_second_run_says_which_rows_read_otherwise_than_in_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(figure: float) -> list[Row]:
        return [row(name, [figure] * 6, EVEN) for name in ("fake.same", "fake.other", "fake.slow_p99")]

    first = str(tmp_path / "latest.json")
    assert main(["--quick", "--results", str(tmp_path)], rows(1.0)) == 0
    assert main(["--quick", "--results", str(tmp_path), "--against", first], rows(1.2)) == 0
    assert "no row differs from the run of" in capsys.readouterr().err
    assert main(["--quick", "--results", str(tmp_path), "--against", first], rows(0.9)) == 0
    told = capsys.readouterr().err
    assert "fake.other: 1.2 then, 0.9 now" in told
    assert "2 rows differ" in told
    assert "fake.slow_p99:" not in told


def test_what_is_no_earlier_run_is_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.json").write_text("[]")
    for name in ("nowhere.json", "other.json"):
        with pytest.raises(SystemExit):
            main(["--against", str(tmp_path / name)], [row("fake", EVEN, EVEN)])
        assert "is no results file of an earlier run" in capsys.readouterr().err


def test_a_missed_goal_is_shown_as_missed_and_fails_only_when_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row("fake.missed", EVEN, EVEN, goal=2.0)]
    assert main(["--quick", "--strict", "--results", str(tmp_path)], rows) == 1
    assert "missed" in capsys.readouterr().out
    assert "**missed**" in (tmp_path / "latest.md").read_text()


def test_a_row_that_cannot_be_measured_is_named_and_the_others_are_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [UNMEASURABLE, row("fake.good", EVEN, EVEN)]
    assert main(["--quick", "--results", str(tmp_path)], rows) == 2
    assert "fake.unmeasurable was not measured: the disk is gone; put it back" in capsys.readouterr().err
    document = json.loads((tmp_path / "latest.json").read_text())
    assert [measured["name"] for measured in document["rows"]] == ["fake.good"]
    assert document["not_measured"] == [{"name": "fake.unmeasurable", "why": "the disk is gone; put it back"}]


def test_a_row_that_ends_with_a_fault_of_its_own_loses_no_other_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row("fake.too_short", [], []), row("fake.good", EVEN, EVEN)]
    assert main(["--quick", "--results", str(tmp_path)], rows) == 2
    assert "fake.too_short was not measured: it ended with StopIteration" in capsys.readouterr().err
    document = json.loads((tmp_path / "latest.json").read_text())
    assert [measured["name"] for measured in document["rows"]] == ["fake.good"]


def test_a_row_whose_peer_cannot_be_had_says_so_in_the_table_and_the_run_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--quick", "--strict", "--results", str(tmp_path)], [WITHOUT_PEER, row("fake.good", EVEN, EVEN)]) == 0
    assert "fake.peer was not measured: cannot install it" in capsys.readouterr().err
    table = (tmp_path / "latest.md").read_text()
    assert "| `fake.peer` | | | | not measured: cannot install it: no package index within reach |" in table
    assert "`fake.good`" in table


@pytest.mark.parametrize(
    ("arguments", "measured"),
    [
        (["--quick"], ["fake.small", "fake.both"]),
        (["--large"], ["fake.both", "fake.large"]),
        (["--quick", "--only", "fake.large"], ["fake.large"]),
        (["--large", "--only", "fake.small"], ["fake.small"]),
    ],
)
def test_a_row_is_measured_at_the_size_at_which_it_says_something_or_when_it_is_named_in_full(
    arguments: list[str], measured: list[str], tmp_path: Path
) -> None:
    many = [1.0] * 8
    rows = [row(f"fake.{name}", many, many, sizes=size) for name, size in SIZES]
    assert main([*arguments, "--results", str(tmp_path)], rows) == 0
    document = json.loads((tmp_path / "latest.json").read_text())
    assert [result["name"] for result in document["rows"]] == measured


@pytest.mark.parametrize(
    ("sizes", "arguments", "told"),
    [("large", ["--quick"], "are measured with --large"), ("usual", ["--large"], "are measured without --large")],
)
def test_asking_by_a_prefix_for_rows_of_another_size_is_answered_with_what_to_say(
    sizes: Sizes, arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row("fake.one", EVEN, EVEN, sizes=sizes)]
    assert main([*arguments, "--only", "fake.", "--results", str(tmp_path)], rows) == 2
    assert told in capsys.readouterr().err


def test_only_the_rows_with_the_prefix_are_measured(tmp_path: Path) -> None:
    rows = [row("fake.one", EVEN, EVEN), row("fake.two", EVEN, EVEN), row("other.one", EVEN, EVEN)]
    assert main(["--quick", "--only", "fake.", "--results", str(tmp_path)], rows) == 0
    document = json.loads((tmp_path / "latest.json").read_text())
    assert [measured["name"] for measured in document["rows"]] == ["fake.one", "fake.two"]


def test_the_markdown_table_has_a_line_for_each_row_and_names_machine_commit_and_duration() -> None:
    run = {**describe_run(QUICK, ""), "took_s": 83}
    text = markdown(run, [measure(row("fake", EVEN, EVEN), QUICK)])
    assert run["machine"]["cpu"] in text
    assert " in 1:23 on " in text
    assert run["commit"][:12] in text
    assert "| `fake` | per second | 1 | 1 | 1.00 (1.00–1.00) | ≥ 1 | bound | met |  |" in text
    assert "one Ed25519 verify takes" in text


@pytest.mark.parametrize(
    ("unit", "value", "verifies"),
    [("µs", 300.0, 3.0), ("ms", 1.0, 10.0), ("s", 1.0, 10_000.0), ("/s", 5_000.0, 2.0), ("MB", 5.0, None)],
)
def test_a_time_is_also_told_as_so_many_verifies_of_the_same_run(
    unit: str, value: float, verifies: float | None
) -> None:
    assert in_verifies(unit, value, 100.0) == verifies


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "loadtests/benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_prefix_of_no_row_is_answered_with_one_sentence_that_names_the_rows() -> None:
    answer = run_bench("--only", "nonsense")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "nonsense" in answer.stderr
    assert "codes.sign" in answer.stderr


def test_the_rows_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert {"codes.sign", "trace.decide_fill", "store.append_one", "api.fill_check"} <= set(names)


def test_a_peer_that_no_index_has_is_missing_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(PeerMissing, match="cannot install nobody"):
        peer_python("nobody", [f"{(tmp_path / 'nothing.whl').as_uri()}"])
    assert list((tmp_path / "pinglian" / "bench-peers").iterdir()) == []


def test_a_peer_that_needs_a_python_that_nobody_has_is_missing() -> None:
    with pytest.raises(PeerMissing, match=r"no Python 3\.99 or later"):
        peer_python("nobody", [], (3, 99))


def test_the_page_about_performance_says_of_each_row_what_is_measured_and_at_which_size() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    explained, _, _ = page.partition("## The newest table")
    assert [row.name for row in ROWS if f"| `{row.name}`{MARKS[row.sizes]} |" not in explained] == []


def test_signing_is_really_measured(tmp_path: Path) -> None:
    answer = run_bench("--quick", "--json", "--only", "codes.sign", "--results", str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    (measured,) = json.loads(answer.stdout)["rows"]
    assert measured["name"] == "codes.sign"
    assert 0 < measured["spread"][0] <= measured["ratio"] <= measured["spread"][1]
    assert measured["ratio"] == measured["ours"] / measured["other"]
    assert json.loads(answer.stdout) == json.loads((tmp_path / "latest.json").read_text())
