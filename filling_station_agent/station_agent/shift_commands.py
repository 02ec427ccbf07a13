"""`station-agent pin`: a worker's PIN is set at the station PC, typed twice, not shown and never on a command line."""

import argparse
import getpass
import re
import secrets
import sys

from station_agent.keeping_commands import folder_of
from station_agent.pins import SALT_BYTES, remove_pin, set_pin

_WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")


def set_or_remove(arguments: argparse.Namespace) -> int:
    """Set or forget a worker's PIN. 0 done · 1 not done, with a sentence why. Raises DeviceError, OSError."""
    folder, worker = folder_of(arguments), arguments.worker
    if not _WORKER.fullmatch(worker):
        return _say(f"{worker!r} is no worker id: letters, digits and _.:- only.")
    if arguments.remove:
        if not remove_pin(folder, worker):
            return _say(f"{worker} has no PIN here.")
        print(f"{worker} signs on by badge only.")
        return 0
    return _set(arguments, worker)


def _set(arguments: argparse.Namespace, worker: str) -> int:
    pin = _asked("PIN: ")
    if pin != _asked("PIN again: "):
        return _say("The two PINs differ; nothing was changed.")
    try:
        set_pin(folder_of(arguments), worker, pin, secrets.token_bytes(SALT_BYTES))
    except ValueError as error:
        return _say(f"{error} Nothing was changed.")
    print(f"{worker} signs on by typing PL:W:{worker} and then the PIN.")
    return 0


def _asked(question: str) -> str:
    """A line that is not shown; from a pipe, the next line of it."""
    if sys.stdin.isatty():
        return getpass.getpass(question)
    return sys.stdin.readline().rstrip("\r\n")


def _say(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
