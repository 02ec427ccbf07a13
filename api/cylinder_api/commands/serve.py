"""``cylinder-api serve``: the service, until it is told to stop."""

import argparse
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress

from cylinder_api.access_log import JsonLines
from cylinder_api.app import create_app
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import say, show
from cylinder_api.commands.town import Wish, give_access, is_generated, seed_folder
from cylinder_api.folder import make_folder
from cylinder_api.heaps import share_heaps
from cylinder_api.service import Service, open_service
from cylinder_api.serving import Server, bind, url_of
from cylinder_api.settings import Settings, settings_for
from cylinder_api.town.organisations import DEMO_STATION, make_organisations
from cylinder_api.town.plan import figures_for
from cylinder_trace.store.rights import excess_of

log = logging.getLogger(__name__)
_NEW_OBJECTS = 20_000
"""So many more than were let go, before the garbage collector looks at the new ones."""
_TURN_S = 0.0005
"""How long a thread may keep the interpreter from another that wants it. The writer asks for it back after each call
of the database; at Python's usual 5 ms a commit waits longer for that than for the disk."""


def serve(options: argparse.Namespace) -> int:
    """Bind first, so that a port in use costs nothing; then open the ledger; listen when all is ready."""
    share_heaps()  # before the first thread begins, which has its heap from then on
    settings = settings_for(options.data, options.database_url, options.redis_url)
    with _bound(options.host, options.port) as door:
        if options.demo:
            make_folder(settings.data)
        service = open_service(settings)
        try:
            if options.demo:
                _prepare_demo(service, settings, options, url_of(door))
            server = Server(create_app(service), lambda: _announce(door, settings, options))
        except BaseException:
            service.close()
            raise
        _log_to_stderr(options.log_level)
        if excess := excess_of(service.ledger.engine):
            log.warning("%s: run the service as a role of its own, see cylinder-api migrate --service-role", excess)
        _run(server, door)
    return 0


def _bound(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotDo(f"cannot listen on {host}:{port}: {reason}; choose another with --port or --host") from error


def _prepare_demo(service: Service, settings: Settings, options: argparse.Namespace, url: str) -> None:
    wish = Wish(options.cylinders)
    seed_folder(settings.data, service.ledger, service.keys, wish, service.clock(), say)
    station = make_organisations(figures_for(options.cylinders)).station(DEMO_STATION)
    path = give_access(service, station, url)
    say(f"generated data only; access to it is in {path}")


def _announce(door: socket.socket, settings: Settings, options: argparse.Namespace) -> None:
    url = url_of(door)
    facts = {"listening": url, "data": str(settings.data), "generated": is_generated(settings.data)}
    tell_systemd("READY=1")
    show(options, facts, f"PingLian listens on {url}; its data is in {settings.data}; stop it with Ctrl-C")


def tell_systemd(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Tell the service manager, if one started us (sd_notify, ``Type=notify``): its start ends when we serve."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, suppress(OSError):
        line.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        line.send(state.encode())


def _run(server: Server, door: socket.socket) -> None:
    # uvicorn handles the signals and, once everything is finished, raises them again: that must not end in failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _spare_the_collector()
    sys.setswitchinterval(_TURN_S)
    server.run(sockets=[door])


def _spare_the_collector() -> None:
    """What is there now stays, and uploads make many objects: walking through them takes a tenth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line shows them
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
