"""The load, for Locust; ``make load`` runs it.

Locust runs in a process of its own, because it changes the standard library under everything it shares one with;
what it must know comes from a file, and what it was told goes into another.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment
from locust.stats import StatsEntry

from brief import read_brief
from users.back_after_outage import BackAfterOutage
from users.caller import Caller
from users.delivery_round import DeliveryRound
from users.inspector_rack import InspectorRack
from users.public_scan import PublicScan
from users.regulator import Regulator
from users.station_day import StationDay

KINDS: tuple[type[Caller], ...] = (StationDay, BackAfterOutage, DeliveryRound, InspectorRack, Regulator, PublicScan)
__all__ = ["BackAfterOutage", "DeliveryRound", "InspectorRack", "PublicScan", "Regulator", "StationDay"]


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_arguments(parser: ArgumentParser, **_: Any) -> None:
    """Add what the users need to know."""
    parser.add_argument("--brief", type=Path, required=True, help="file of the brief (brief.Brief.write)")
    parser.add_argument("--told", type=Path, required=True, help="file for what the service said it has recorded")
    parser.add_argument("--figures", type=Path, required=True, help="file for the figures of the run")


@events.init.add_listener  # type: ignore[untyped-decorator]
def number_users(environment: Environment, **_: Any) -> None:
    """As many users of each kind as the brief says, each as often; kinds that it does not name stay away."""
    options: Any = environment.parsed_options
    wanted = read_brief(options.brief).users
    kinds = [kind for kind in KINDS if kind.__name__ in wanted]
    environment.user_classes = list(kinds)
    for kind in kinds:
        kind.fixed_count, kind.rate = wanted[kind.__name__].count, wanted[kind.__name__].rate


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def write_figures(environment: Environment, **_: Any) -> None:
    """Write what was measured, after the last user has stopped: Locust's own files miss the last requests."""
    options: Any = environment.parsed_options
    stats = environment.stats
    kinds = [_figures(entry, entry.name) for _, entry in sorted(stats.entries.items())]
    failures = [
        {"times": error.occurrences, "name": error.name, "error": str(error.error)} for error in stats.errors.values()
    ]
    document = {"kinds": [*kinds, _figures(stats.total, "all")], "failures": failures}
    options.figures.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def _figures(entry: StatsEntry, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "requests": entry.num_requests,
        "failures": entry.num_failures,
        "per_second": entry.total_rps,
        "p50_ms": entry.get_response_time_percentile(0.50),
        "p95_ms": entry.get_response_time_percentile(0.95),
        "p99_ms": entry.get_response_time_percentile(0.99),
    }
