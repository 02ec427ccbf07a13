"""``rotate-master-key``: another master key opens the vault from now on, and the old one nothing any more."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock
from sqlalchemy import Engine

from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import show
from cylinder_api.folder import fresh_master_key
from cylinder_api.master_key import Exchange, MasterKeyError, begin_exchange, end_exchange
from cylinder_api.settings import settings_for
from cylinder_api.tokens import MESSAGES, SECOND_FACTOR, derived_key
from cylinder_trace.commands.pace import Pace
from cylinder_trace.store.database import lock_file, open_engine, parse_url, sqlite_path
from cylinder_trace.store.progress import Tell
from cylinder_trace.store.vault import VaultError
from cylinder_trace.store.vault_rotation import DATA_KEYS, SECOND_FACTORS, SIGNING_SECRETS, rewrap_all

_USES = (SECOND_FACTOR, MESSAGES)


def rotate_master_key(options: argparse.Namespace) -> int:
    """Exchange the master key, with every service on the database stopped; run again after a kill it goes on."""
    settings = settings_for(options.data, options.database_url)
    if not (settings.data / "keys").is_dir():
        raise CannotDo(f"there is no data folder {settings.data}")
    try:
        with _database(settings.database_url) as engine, Pace() as tell:
            exchange = begin_exchange(settings.data, options.to, fresh_master_key())
            sealed = _seal_anew(engine, exchange, tell)
            end_exchange(settings.data, exchange)
    except (MasterKeyError, VaultError) as error:
        raise CannotDo(str(error)) from error
    where = f"in {options.to}: set MASTER_KEY_FILE={options.to} from now on" if options.to else "in keys/master.key"
    people, factors, secrets = sealed.values()
    held = f"{people} customers, {factors} second factors and {secrets} secrets of webhooks sealed anew 已重新加密"
    facts = {**sealed, "to": str(options.to) if options.to else None}
    said = f"{held}; the master key is {where}\nbackups from before still hold the old key: keep them safe"
    show(options, facts, said)
    return 0


def _seal_anew(engine: Engine, exchange: Exchange, tell: Tell) -> dict[str, int]:
    """How many of each kind had to be."""
    keys = {use: (derived_key(exchange.new, use), [derived_key(old, use) for old in exchange.old]) for use in _USES}
    return {
        "customers": rewrap_all(engine, DATA_KEYS, exchange.new, exchange.old, tell),
        "second_factors": rewrap_all(engine, SECOND_FACTORS, *keys[SECOND_FACTOR], tell),
        "signing_secrets": sum(rewrap_all(engine, column, *keys[MESSAGES], tell) for column in SIGNING_SECRETS),
    }


@contextmanager
def _database(url: str) -> Iterator[Engine]:
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    lock: FileLock | None = lock_file(path) if path else None
    engine = open_engine(parsed, writer=True)
    try:
        yield engine
    finally:
        engine.dispose()
        if lock is not None:
            lock.release()
