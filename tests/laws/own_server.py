"""The PostgreSQL that laws share when no test hands them one: started with the first, stopped with the process."""

import atexit
import functools
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ledgers.homes import Home
from servers.postgres import QUICK, fresh_database, running_postgres


@functools.cache
def url_and_template() -> tuple[str, str]:
    """URL of a running server, and the database to copy there.

    PINGLIAN_TEST_POSTGRES_URL names a server whose user may create databases.
    """
    stack = ExitStack()
    atexit.register(stack.close)
    server = os.environ.get("PINGLIAN_TEST_POSTGRES_URL") or stack.enter_context(running_postgres(QUICK))
    return server, stack.enter_context(template_on(server))


@contextmanager
def template_on(server: str) -> Iterator[str]:
    """Name of a database with a ledger's tables and no entry: a copy is sooner there than tables are made."""
    with fresh_database(server) as url, tempfile.TemporaryDirectory(prefix="pinglian-template-") as folder:
        with Home(url, Path(folder)).open():
            pass
        yield url.rpartition("/")[2]
