"""`station-agent check-driver`: whoever fits a scale to a station tries its driver file out first."""

import argparse
import json
from collections.abc import Callable

from station_agent.devices.driver import load_driver

Explained = Callable[[str, str], argparse.ArgumentParser]


def add_to(explained: Explained) -> None:
    """Add the commands; `explained` makes one from its name and purpose."""
    trying = explained("check-driver", "try a scale's driver file out: a simulated scale plays its very registers")
    trying.add_argument("driver", help="a shipped driver's name, or the path of your own .toml file")
    trying.add_argument("--json", action="store_true", help="print one JSON object")
    trying.set_defaults(command=_check_driver)


def _check_driver(arguments: argparse.Namespace) -> int:
    from station_agent import driver_check  # Modbus servers take half a second to import

    checks = driver_check.run(load_driver(arguments.driver))
    ok = all(check.ok for check in checks)
    if arguments.json:
        print(json.dumps({"ok": ok, "checks": [check.to_json() for check in checks]}, ensure_ascii=False))
    else:
        for check in checks:
            print(f"{'✔' if check.ok else '✘'} {check.name}: {check.said}" + (f" → {check.mend}" if check.mend else ""))
    return 0 if ok else 1
