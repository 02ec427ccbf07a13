"""The command line of the benchmarks: which rows, how large, where the answer goes."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from benchmarks.catalogue import ROWS
from benchmarks.compare import AGREE_WITHIN, differences
from benchmarks.growth import SIZES, as_json, grow
from benchmarks.growth_pictures import table, write_pictures
from benchmarks.measure import (
    LARGE,
    QUICK,
    USUAL,
    BenchError,
    PeerMissing,
    Result,
    Row,
    Scale,
    Unmeasured,
    measure,
)
from benchmarks.report import RESULTS, describe_run, print_table, write_growth, write_results

MEASURED, MISSED, NOT_MEASURED = 0, 1, 2


def main(arguments: Sequence[str] | None = None, rows: Sequence[Row] = ROWS) -> int:
    """Measure the chosen rows and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.growth:
        return _grow(options)
    named = [row for row in rows if row.name.startswith(options.only)]
    if not named:
        names = ", ".join(row.name for row in rows)
        print(f"no row's name begins with {options.only!r}; the rows are: {names}", file=sys.stderr)
        return NOT_MEASURED
    if options.list:
        for row in named:
            print(f"{row.name:36}{row.kind:7}{row.sizes:7}{row.against}")
        return MEASURED
    return _run(options, [row for row in named if _is_wanted(row, options)])


def _grow(options: argparse.Namespace) -> int:
    """Measure the curves of growth up to a size; the pictures go where the documents show them."""
    run = describe_run(USUAL, "growth")
    sizes = [size for size in (*SIZES, options.growth) if size <= options.growth]
    try:
        points = list(grow(sorted(set(sizes)), lambda line: print(line, file=sys.stderr)))
    except BenchError as error:
        print(error, file=sys.stderr)
        return NOT_MEASURED
    document = write_growth({**run, "growth": as_json(points)}, options.results)
    write_pictures(points, options.pictures or options.results)
    print(json.dumps(document, ensure_ascii=False) if options.json else table(points))
    return MEASURED


def _is_wanted(row: Row, options: argparse.Namespace) -> bool:
    size = "large" if options.scale is LARGE else "usual"
    return row.sizes in (size, "both") or row.name == options.only


def _run(options: argparse.Namespace, rows: Sequence[Row]) -> int:
    if not rows:
        other = "without --large" if options.scale is LARGE else "with --large"
        print(f"all rows that begin with {options.only!r} are measured {other}, or named in full", file=sys.stderr)
        return NOT_MEASURED
    scale: Scale = options.scale
    run, began = describe_run(scale, options.only), time.monotonic()
    outcome = _measure_all(rows, scale, Console(stderr=True))
    run["took_s"] = round(time.monotonic() - began)
    document = write_results(run, outcome.results, outcome.unmeasured, options.results)
    if options.json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        print_table(outcome.results, Console())
        print(f"written: {options.results / 'latest.json'} and latest.md, the same as a Markdown table")
    for row in outcome.unmeasured:
        print(f"{row.name} was not measured: {row.why}", file=sys.stderr)
    if options.against:
        _compare(options.against, document)
    if outcome.failed:
        return NOT_MEASURED
    return MISSED if options.strict and not all(result.met for result in outcome.results) else MEASURED


def _earlier(name: str) -> dict[str, Any]:
    """The results file of an earlier run, read before this one takes its place; raises ArgumentTypeError."""
    try:
        document: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
        document["rows"], document["taken_at"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise argparse.ArgumentTypeError(f"{name} is no results file of an earlier run (latest.json)") from error
    return document


def _compare(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Say which rows read otherwise than in the earlier run."""
    found = differences(before, now)
    for row in found:
        print(f"{row.name}: {row.before:.3g} then, {row.now:.3g} now", file=sys.stderr)
    taken = f"the run of {before['taken_at']}"
    told = f"{len(found)} rows differ from {taken} by" if found else f"no row differs from {taken} by"
    print(f"{told} more than {AGREE_WITHIN - 1:.0%}; p99 rows and usual ways are not compared", file=sys.stderr)


class _Outcome(NamedTuple):
    """What came of the rows, in their order."""

    results: list[Result]
    unmeasured: list[Unmeasured]
    failed: bool
    """Whether a row was not measured for another reason than that its peer cannot be had here."""


def _measure_all(rows: Sequence[Row], scale: Scale, progress: Console) -> _Outcome:
    results: list[Result] = []
    unmeasured: list[Unmeasured] = []
    failed = False
    for number, row in enumerate(rows, 1):
        progress.print(f"{number}/{len(rows)} measuring {row.name} against {row.against} …")
        try:
            results.append(measure(row, scale))
        except BenchError as error:
            unmeasured.append(Unmeasured(row.name, str(error)))
            failed = failed or not isinstance(error, PeerMissing)
        except Exception as error:  # noqa: BLE001 - one row's fault must not lose the figures of an hour
            progress.print_exception()
            unmeasured.append(Unmeasured(row.name, f"it ended with {type(error).__name__}: {error}"))
            failed = True
    return _Outcome(results, unmeasured, failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadtests/benchmarks",
        description="Measure our speed against bounds, peers and the usual way, each row as a ratio in one run.",
        epilog="Exit code 0: measured, but for rows whose peer cannot be had here. 1: a goal was missed and --strict "
        "was given. 2: a row could not be measured.",
    )
    parser.add_argument("--only", metavar="PREFIX", default="", help="only rows whose name begins with this")
    parser.add_argument("--list", action="store_true", help="list the rows and measure nothing")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="FOLDER", help="where latest.json goes (default %(default)s)"
    )
    parser.add_argument(
        "--against", type=_earlier, metavar="FILE", help="latest.json of an earlier run: say which rows read otherwise"
    )
    parser.add_argument(
        "--growth", type=int, metavar="ENTRIES", help="measure how the figures grow up to so many entries, and draw it"
    )
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="where its pictures go (default: the results)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", dest="scale", action="store_const", const=QUICK, default=USUAL, help="small rounds, to see it run"
    )
    size.add_argument(
        "--large", dest="scale", action="store_const", const=LARGE, help="the rows that need a large size"
    )
    return parser
