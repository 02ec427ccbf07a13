"""The results as a file, as a table on the terminal, and as a table for a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.machine import commit, describe_machine, describe_versions
from benchmarks.measure import Result, Scale, Unmeasured
from benchmarks.yardstick import in_verifies, verify_us

RESULTS = Path(__file__).resolve().parents[1] / "results"
_SMALL_RATIO = 0.03


def describe_run(scale: Scale, only: str) -> dict[str, Any]:
    """What the figures of this run were measured on and how; taken before the measuring begins."""
    return {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "settings": {"size": scale.name, "repeats": scale.repeats, "factor": scale.factor, "only": only},
        "commit": commit(),
        "verify_us": verify_us(),
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_results(
    run: Mapping[str, Any], results: Sequence[Result], unmeasured: Sequence[Unmeasured] = (), folder: Path = RESULTS
) -> dict[str, Any]:
    """Write ``latest.json`` and ``latest.md`` into `folder`, each whole or not at all; return what was written."""
    rows = [_as_json(result, run["verify_us"]) for result in results]
    document = {**run, "rows": rows, "not_measured": [row._asdict() for row in unmeasured]}
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "latest.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    _replace(folder / "latest.md", markdown(run, results, unmeasured))
    return document


def write_growth(document: dict[str, Any], folder: Path = RESULTS) -> dict[str, Any]:
    """Write ``growth.json`` into `folder`, whole or not at all; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "growth.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return document


def print_table(results: Sequence[Result], console: Console) -> None:
    """Print the rows for people."""
    table = Table(
        title="ours ÷ other: median (lowest–highest)", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    table.add_column("row", overflow="fold")
    table.add_column("unit", no_wrap=True)
    for heading in ("ours", "other", "ratio", "goal"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for result in results:
        met = "[green]met[/]" if result.met else "[red]missed[/]"
        figures = (_figure(result.ours), _figure(result.other), _ratio(result), _goal(result))
        table.add_row(result.name, result.unit, *figures, met)
    console.print(table)


def markdown(run: Mapping[str, Any], results: Sequence[Result], unmeasured: Sequence[Unmeasured] = ()) -> str:
    """The rows as a Markdown table, under a line that says when, how long, on what and at which commit."""
    machine = run["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {run['versions']['python']}"
    how = f"load average before {machine['load_before']}, size {run['settings']['size']}"
    head, plus, changes = run["commit"].partition("+")
    yardstick = f"one Ed25519 verify takes {_figure(run['verify_us'])} µs"
    took = "{}:{:02}".format(*divmod(run["took_s"], 60))
    lines = [
        f"Taken {run['taken_at']} in {took} on {where}; {how}; {yardstick}; commit `{head[:12]}{plus}{changes}`.",
        "",
        "| row | unit | ours | other | ratio (lowest–highest) | goal | kind | met | ours in verifies |",
        "|---|---|---:|---:|---:|---:|---|---|---:|",
    ]
    for result in results:
        cells = (
            f"`{result.name}`", result.unit, _figure(result.ours), _figure(result.other),
            _ratio(result), _goal(result), result.kind, "met" if result.met else "**missed**",
            _verifies(result, run["verify_us"]),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"| `{row.name}` | | | | not measured: {row.why} | | | | |" for row in unmeasured]
    return "\n".join(lines) + "\n"


def _as_json(result: Result, verify: float) -> dict[str, Any]:
    multiple = in_verifies(result.unit, result.ours, verify)
    return {**asdict(result), "spread": list(result.spread), "in_verifies": multiple}


def _verifies(result: Result, verify: float) -> str:
    multiple = in_verifies(result.unit, result.ours, verify)
    return "" if multiple is None else _figure(multiple)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(result: Result) -> str:
    low, high = result.spread
    digits = 2 if low >= _SMALL_RATIO else 3
    return f"{result.ratio:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def _goal(result: Result) -> str:
    return f"{'≥' if result.better == 'higher' else '≤'} {result.goal:g}"


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
