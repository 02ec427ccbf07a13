"""`station-agent check-driver` and `scanner-test`: whoever fits devices to a station tries them out first."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from station_agent.clock import steady_ms
from station_agent.devices.driver import load_driver
from station_agent.devices.scanner import WedgeDecoder
from station_agent.settings import load_settings

Explained = Callable[[str, str], argparse.ArgumentParser]


def add_to(explained: Explained) -> None:
    """Add the commands; `explained` makes one from its name and purpose."""
    trying = explained("check-driver", "try a scale's driver file out: a simulated scale plays its very registers")
    trying.add_argument("driver", help="a shipped driver's name, or the path of your own .toml file")
    trying.add_argument("--json", action="store_true", help="print one JSON object")
    trying.set_defaults(command=_check_driver)

    testing = explained("scanner-test", "let each scanner read the test sheet or a card, and say what it does wrong")
    testing.add_argument("--config", type=Path, required=True, help="the station's settings file")
    testing.add_argument("--json", action="store_true", help="print one JSON object for each scan")
    testing.set_defaults(command=_scanner_test)


def _scanner_test(arguments: argparse.Namespace) -> int:
    from station_agent import scanner_test  # scanners' tables and serial ports are for this command alone
    from station_agent.devices.assembly import scanner_sources

    settings, _ = load_settings(arguments.config)
    trial = scanner_test.ScannerTrial(settings.scanner.forms)

    def say(report: scanner_test.Report) -> None:
        lines = [json.dumps(report.to_json(), ensure_ascii=False)] if arguments.json else report.lines()
        print("\n".join(lines), flush=True)

    wedge = settings.scanner
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            scanner_test.listen(
                scanner_sources(settings),
                sys.stdin.fileno(),
                lambda: WedgeDecoder(prefix=wedge.prefix, suffix=wedge.suffix, inter_key_ms=wedge.inter_key_ms),
                wedge.inter_key_ms,
                trial,
                say,
                steady_ms,
            )
        )
    return 0 if trial.good else 1


def _check_driver(arguments: argparse.Namespace) -> int:
    from station_agent import care, driver_check  # Modbus servers take half a second to import

    checks = driver_check.run(load_driver(arguments.driver))
    print(care.told(checks, as_json=arguments.json))
    return 0 if all(check.ok for check in checks) else 1
