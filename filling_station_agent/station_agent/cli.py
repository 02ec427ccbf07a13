"""`station-agent`: run a filling station, enrol it, look after it, or play its scales."""

import argparse
import asyncio
import csv
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cylinder_codes.command_line import OneSentenceParser
from cylinder_codes.terminal import escape_what_cannot_be_shown
from station_agent import agent, care, device_commands, enrol, keeping_commands, shift_commands
from station_agent import words as said
from station_agent.clock import wall_ms
from station_agent.device import Device, DeviceError, load_device, only_one
from station_agent.devices.driver import DriverError
from station_agent.headless import Headless, in_utf8
from station_agent.journal import JournalBroken
from station_agent.keeping_commands import add_folder, add_json, folder_of
from station_agent.running_log import logged
from station_agent.screen.app import Screen, Sources, cannot_draw
from station_agent.screen.keys import KeySorter
from station_agent.service import ServiceGone
from station_agent.settings import ScaleSettings, Settings, SettingsError, load_settings

GOOD, BAD, COULD_NOT = 0, 1, 2
_SIMULATOR = "simulate-scale"

_OVERVIEW = """\
examples, in the order of a new station:
  station-agent enrol --url https://ledger.example --code CODE --data station
  station-agent simulate-scale --scales 10 --log scales.jsonl
  station-agent check-driver my-scale.toml
  station-agent scanner-test --config station/station.toml
  station-agent self-test --config station/station.toml
  station-agent run --config station/station.toml
  station-agent cards > cards.csv
  station-agent pin --data station --worker worker-1
  station-agent status --data station
  station-agent export --data station --out journal.jsonl
  station-agent export --verify journal.jsonl
  station-agent protect-key --data station
  station-agent service-unit --config station/station.toml

exit codes: 0 good · 1 checked and bad · 2 could not be done
"""

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code: 0 good, 1 checked and bad, 2 could not check."""
    escape_what_cannot_be_shown()
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        if words[:1] == [_SIMULATOR]:
            return _simulate(words[1:])
        arguments = _parser().parse_args(words)
        command: Command = arguments.command
        return command(arguments)
    except KeyboardInterrupt:
        return _say("Stopped; what was recorded stands.")
    except (SettingsError, DeviceError, DriverError, JournalBroken, ServiceGone) as trouble:
        return _say(str(trouble))
    except (OSError, sqlite3.Error) as trouble:
        return _say(_where_and_why(trouble))


def _where_and_why(trouble: OSError | sqlite3.Error) -> str:
    where = getattr(trouble, "filename", None)
    if not where:
        return str(trouble)
    why = getattr(trouble, "strerror", None) or trouble
    return f"{where}: {why}. Look whether the path is right, and whether this user may read and write there."


def _say(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return COULD_NOT


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    about = "The agent of a filling station (充装站代理)."
    parser = OneSentenceParser(prog="station-agent", description=about, epilog=_OVERVIEW, formatter_class=raw)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _explained(commands, "run", "run the station: scans come from the keyboard, valves obey permits")
    _add_config(run)
    run.add_argument(
        "--headless", "--json", action="store_true", help="no screen; one JSON line per change of state on stdout"
    )
    run.set_defaults(command=_run)

    enrolling = _explained(commands, "enrol", "make this machine a station's device, with a one-time code")
    enrolling.add_argument("--url", required=True, help="the service, e.g. https://ledger.example")
    enrolling.add_argument("--code", required=True, help="the one-time code, from `cylinder-api enrol`")
    enrolling.add_argument("--data", type=Path, required=True, help="new folder for key, journal, replica, settings")
    enrolling.add_argument("--ca-file", type=Path, help="trust this certificate authority (PEM) alone")
    enrolling.add_argument("--scale-host", default="127.0.0.1", help="address of the scales (default %(default)s)")
    enrolling.add_argument("--scale-port", type=int, default=1502, help="their Modbus port (default %(default)s)")
    enrolling.add_argument(
        "--passphrase", action="store_true", help="protect the device's key with one; without this, with DATA.key"
    )
    add_json(enrolling)
    enrolling.set_defaults(command=_enrol)

    commands.add_parser(_SIMULATOR, help="play filling scales that speak Modbus TCP or RTU", add_help=False)

    testing = _explained(
        commands, "self-test", "check key, journal, trust list, locks, data, clock, scales and service"
    )
    _add_config(testing)
    add_json(testing)
    testing.set_defaults(command=_self_test)

    device_commands.add_to(lambda name, purpose: _explained(commands, name, purpose))

    pin = _explained(commands, "pin", "set the PIN with which a worker signs on at a keyboard, without a badge")
    add_folder(pin)
    pin.add_argument("--worker", required=True, help="the worker's id, as the service knows it")
    pin.add_argument("--remove", action="store_true", help="forget the PIN instead")
    pin.set_defaults(command=shift_commands.set_or_remove)

    cards = _explained(commands, "cards", "the cards for the wall: what each barcode holds, and what to print on it")
    add_json(cards)
    cards.set_defaults(command=_cards)

    status = _explained(
        commands, "status", "queue, disputes, open fills, data, locks, trust list, shift and alarms, also while it runs"
    )
    add_folder(status)
    add_json(status)
    status.set_defaults(command=_status)

    keeping_commands.add_to(lambda name, purpose: _explained(commands, name, purpose))
    return parser


def _explained(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=purpose)
    _explain(parser, f"{purpose[0].upper()}{purpose[1:]}.")
    return parser


def _explain(parser: argparse.ArgumentParser, about: str) -> None:
    examples = (line for line in _OVERVIEW.splitlines() if line.startswith(f"  {parser.prog} "))
    parser.description, parser.epilog = about, "\n".join(["example:", *examples])
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="the settings file that `enrol` wrote")


# ---------------------------------------------------------------- the commands


def _run(arguments: argparse.Namespace) -> int:
    settings, data = load_settings(arguments.config)
    device = load_device(data)
    headless = arguments.headless or not (sys.stdin.isatty() and sys.stdout.isatty())
    if not headless and (why := cannot_draw(os.environ)):
        return _say(why)
    with only_one(data):
        if headless:
            asyncio.run(_run_headless(settings, data, device))
        else:
            asyncio.run(_run_on_screen(settings, data, device))
    return GOOD


async def _run_headless(settings: Settings, data: Path, device: Device) -> None:
    headless = Headless(in_utf8(sys.stdout), wall_ms)
    with logged(headless.tell, data, wall_ms) as tell:
        async with agent.assembled(settings, data, device, tell) as parts:
            await agent.run(parts, tell, lambda: agent.read_keyboard(parts, sys.stdin.fileno()))


async def _run_on_screen(settings: Settings, data: Path, device: Device) -> None:
    screen = Screen(device.station_id)
    with logged(screen.tell, data, wall_ms) as tell:
        async with agent.assembled(settings, data, device, tell) as parts:
            sources = Sources(
                lanes=parts.lanes,
                link=parts.sync.state,
                known=lambda: parts.replica.known,
                clock=parts.clock,
                take=parts.floor.take,
                sorter=KeySorter(
                    agent.wedge_decoder(parts),
                    prefix=settings.scanner.prefix,
                    inter_key_ms=settings.scanner.inter_key_ms,
                ),
            )
            await agent.run(parts, tell, lambda: screen.show(sources))


def _enrol(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.scale_port <= 65_535:
        return _say(f"--scale-port: must be 1 to 65535, is {arguments.scale_port}")
    scales = ScaleSettings(host=arguments.scale_host, port=arguments.scale_port)
    enrolling = enrol.enrol(
        arguments.url, arguments.code, arguments.data, scales, arguments.ca_file, passphrase=arguments.passphrase
    )
    device, file = asyncio.run(enrolling)
    if arguments.json:
        print(json.dumps({"device_id": device.device_id, "station_id": device.station_id, "config": str(file)}))
    else:
        print(f"This machine is now device {device.device_id} of station {device.station_id}.")
        print(f"Look through {file}, then start: station-agent run --config {file}")
    return GOOD


def _self_test(arguments: argparse.Namespace) -> int:
    checks = asyncio.run(care.self_test(arguments.config))
    print(care.told(checks, as_json=arguments.json))
    return GOOD if all(check.ok for check in checks) else BAD


def _cards(arguments: argparse.Namespace) -> int:
    rows = [{"holds": holds, "zh": zh, "en": en} for holds, (zh, en) in said.cards().items()]
    if arguments.json:
        print(json.dumps({"cards": rows}, ensure_ascii=False))
        return GOOD
    writer = csv.DictWriter(sys.stdout, ("holds", "zh", "en"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return GOOD


def _status(arguments: argparse.Namespace) -> int:
    status = care.status(folder_of(arguments))
    if arguments.json:
        print(json.dumps(status, ensure_ascii=False))
    else:
        for line in care.status_lines(status):
            print(line)
    return GOOD


def _simulate(words: list[str]) -> int:
    from station_agent.devices import simulator  # Modbus servers take half a second to import

    parser = OneSentenceParser(prog=f"station-agent {_SIMULATOR}")
    _explain(parser, simulator.ABOUT)
    simulator.add_arguments(parser)
    return simulator.run(parser.parse_args(words))


if __name__ == "__main__":
    sys.exit(main())
