"""The command line of the benchmarks: which rows, how large, where the answer goes."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.catalogue import ROWS
from benchmarks.measure import LARGE, QUICK, USUAL, BenchError, Result, Row, Scale, measure
from benchmarks.report import RESULTS, describe_run, print_table, write_results

MEASURED, MISSED, NOT_MEASURED = 0, 1, 2


def main(arguments: Sequence[str] | None = None, rows: Sequence[Row] = ROWS) -> int:
    """Measure the chosen rows and return the exit code."""
    options = _parser().parse_args(arguments)
    chosen = [row for row in rows if row.name.startswith(options.only)]
    if not chosen:
        names = ", ".join(row.name for row in rows)
        print(f"no row's name begins with {options.only!r}; the rows are: {names}", file=sys.stderr)
        return NOT_MEASURED
    if options.list:
        for row in chosen:
            print(f"{row.name:24}{row.kind:7}{row.against}")
        return MEASURED
    return _run(options, chosen)


def _run(options: argparse.Namespace, rows: Sequence[Row]) -> int:
    scale: Scale = options.scale
    run = describe_run(scale, options.only)
    results, failures = _measure_all(rows, scale, Console(stderr=True))
    document = write_results(run, results, options.results)
    if options.json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        print_table(results, Console())
        print(f"written: {options.results / 'latest.json'} and latest.md, the same as a Markdown table")
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        return NOT_MEASURED
    return MISSED if options.strict and not all(result.met for result in results) else MEASURED


def _measure_all(rows: Iterable[Row], scale: Scale, progress: Console) -> tuple[list[Result], list[str]]:
    results: list[Result] = []
    failures: list[str] = []
    for row in rows:
        progress.print(f"measuring {row.name} against {row.against} …")
        try:
            results.append(measure(row, scale))
        except BenchError as error:
            failures.append(f"{row.name} was not measured: {error}")
    return results, failures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadtests/benchmarks",
        description="Measure our speed against bounds, peers and the usual way, each row as a ratio in one run.",
        epilog="Exit code 0: measured. 1: a goal was missed and --strict was given. 2: a row could not be measured.",
    )
    parser.add_argument("--only", metavar="PREFIX", default="", help="only rows whose name begins with this")
    parser.add_argument("--list", action="store_true", help="list the rows and measure nothing")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="FOLDER", help="where latest.json goes (default %(default)s)"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", dest="scale", action="store_const", const=QUICK, default=USUAL, help="small rounds, to see it run"
    )
    size.add_argument("--large", dest="scale", action="store_const", const=LARGE, help="rounds ten times the size")
    return parser
