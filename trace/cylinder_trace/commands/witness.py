"""`cylinder-trace witness`, `witness serve` and `keygen`: remember a log's checkpoints and vouch for them."""

import logging
import os
import secrets
import signal
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cylinder_codes.keys import SEED_BYTES, KeyFormatError
from cylinder_trace.checkpoint import CheckpointError, open_checkpoint
from cylinder_trace.commands.shared import (
    BAD,
    GOOD,
    CannotCheck,
    from_store,
    kept_checkpoint,
    keys_in,
    read_text,
    say,
    with_successors,
)
from cylinder_trace.cosignature import (
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Cosigner,
    CosignerKey,
    LogKey,
    format_cosigner,
    format_cosigner_key,
    parse_cosigner,
)
from cylinder_trace.merkle import ProofError, check_consistency, prove_consistency
from cylinder_trace.suite import suite_of_origin

POLL = "remember a log's checkpoint and refuse one that does not extend what is remembered"
SERVE = "be a witness that logs ask: cosign what extends what was seen, refuse a fork and keep the evidence"
KEYGEN = "make a key for a witness, or the ML-DSA-44 key of a log"


# --- a witness that asks ------------------------------------------------------------------------------------


def add_poll(parser: Any) -> None:
    """Arguments of `witness`."""
    parser.add_argument("url", help="http://… of the service")
    parser.add_argument("--state", required=True, help="file in which the last good checkpoint is kept")
    about = "the log's verifying key, or a file with it; without it the key the source names is taken on trust"
    parser.add_argument("--vkey", help=about)
    parser.add_argument("--rotations", metavar="FILE", help="log/rotations: trust the keys that followed on --vkey too")


def poll(arguments: Namespace) -> int:
    """Run `witness`."""
    from cylinder_trace.store.sources import ServiceSource

    source = from_store(lambda: ServiceSource(arguments.url.rstrip("/")))
    keys = keys_in(arguments.vkey or _named_keys(from_store(source.vkeys), arguments.url), arguments.rotations)
    keys = with_successors(keys, from_store(source.rotations), f"{arguments.url}/log/rotations")
    note, state = from_store(source.checkpoint), Path(arguments.state)
    remembered = kept_checkpoint(arguments.state) if state.exists() else None
    try:
        new = open_checkpoint(note, keys)
        old = open_checkpoint(remembered, keys) if remembered else None
        if old:
            suite = suite_of_origin(new.origin)
            nodes = _remembering(source, new.size)
            proof = prove_consistency(old.size, new.size, nodes, suite) if old.size < new.size else []
            check_consistency(old.size, new.size, proof, old.root, new.root, suite)
    except (CheckpointError, ProofError, ValueError) as error:
        evidence = state.with_name(state.name + ".fork")
        evidence.write_text(note)
        told = {"ok": False, "problem": str(error), "evidence": str(evidence)}
        say(arguments, told, f"✘ ALARM 报警: this log does not extend what was seen before: {error}; kept {evidence}")
        return BAD
    _replace(state, note)
    say(arguments, {"ok": True, "size": new.size}, f"✔ {new.origin}: {old.size if old else 0} → {new.size}")
    return GOOD


def _named_keys(vkeys: Sequence[str], url: str) -> str:
    if not vkeys:
        raise CannotCheck(f"{url} names no key; say whose log it should be: --vkey KEY or a file with the key")
    return "\n".join(vkeys)


def _remembering(source: Any, size: int) -> Callable[[int, int], bytes]:
    nodes = source.nodes(size)
    return lambda level, index: from_store(lambda: nodes(level, index))


def _replace(path: Path, text: str) -> None:
    from cylinder_trace.store.durable import write_durably

    write_durably(path, text.encode())


# --- a witness that is asked --------------------------------------------------------------------------------


def add_serve(parser: Any) -> None:
    """Arguments of `witness serve`."""
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="for example 127.0.0.1:8100; port 0: any")
    parser.add_argument("--key", required=True, action="append", help="a key file of `keygen`; may be given twice")
    parser.add_argument("--log", required=True, action="append", help="a log's verifying key, or a file with its keys")
    parser.add_argument(
        "--state", required=True, metavar="FOLDER", help="where what was seen is kept; never set it back"
    )


def serve(arguments: Namespace) -> int:
    """Run `witness serve` until it is stopped."""
    try:
        from filelock import FileLock, Timeout

        from cylinder_trace.store.witness_files import WitnessFiles, WitnessStateError
        from cylinder_trace.store.witness_server import Witness, WitnessServer
    except ModuleNotFoundError as error:
        raise CannotCheck("this needs the extra `store`: install cylinder-trace[store]") from error
    folder = Path(arguments.state)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
        witness = Witness(_cosigners(arguments.key), _logs(arguments.log), WitnessFiles(folder), _now_s)
    except Timeout as error:
        raise CannotCheck(f"another witness works in {folder}; stop it first or name another folder") from error
    except WitnessStateError as error:
        raise CannotCheck(str(error)) from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _serve(arguments, WitnessServer(_address(arguments.listen), witness))
    return GOOD


def _serve(arguments: Namespace, server: Any) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    told = {"ok": True, "host": host, "port": port}
    say(arguments, told, f"witness at http://{host}:{port}/ — POST add-checkpoint; Ctrl-C stops it")
    print(end="", flush=True)
    stop.wait()
    server.shutdown()
    server.server_close()


def _now_s() -> int:
    return int(time.time())


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise CannotCheck(f"--listen reads HOST:PORT, as 127.0.0.1:8100, not {text}")
    return host.strip("[]"), int(port)


def _cosigners(paths: Sequence[str]) -> list[Cosigner]:
    cosigners = []
    for path in paths:
        try:
            cosigners.append(parse_cosigner(read_text(path)))
        except KeyFormatError as error:
            raise CannotCheck(
                f"{path} is not a witness's key: {error}; make one with: cylinder-trace keygen"
            ) from error
    return cosigners


def _logs(arguments: Sequence[str]) -> dict[str, list[LogKey]]:
    logs: dict[str, list[LogKey]] = {}
    for key in (key for argument in arguments for key in keys_in(argument)):
        if isinstance(key, CosignerKey) and key.kind == ED25519_COSIGNATURE:
            raise CannotCheck(f"{key.name} is the key of a witness, not of a log; take the log's file keys")
        logs.setdefault(key.name, []).append(key)
    return logs


# --- keys ---------------------------------------------------------------------------------------------------


def add_keygen(parser: Any) -> None:
    """Arguments of `keygen`."""
    parser.add_argument("name", help="the witness's name, as witness.example/w1; for a log's second key its origin")
    parser.add_argument("--out", required=True, metavar="FILE", help="the key's file, for its owner's eyes alone")
    parser.add_argument("--ml-dsa", action="store_true", help="ML-DSA-44, which stands against quantum computers")


def keygen(arguments: Namespace) -> int:
    """Run `keygen`."""
    try:
        kind = ML_DSA_44 if arguments.ml_dsa else ED25519_COSIGNATURE
        cosigner = Cosigner(arguments.name, kind, secrets.token_bytes(SEED_BYTES))
    except KeyFormatError as error:
        raise CannotCheck(str(error)) from error
    try:
        descriptor = os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CannotCheck(
            f"{arguments.out} is there already; a key is never written over, name another file"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{format_cosigner(cosigner)}\n")
    vkey = format_cosigner_key(cosigner.verifying_key)
    say(arguments, {"ok": True, "vkey": vkey, "file": arguments.out}, vkey)
    return GOOD
