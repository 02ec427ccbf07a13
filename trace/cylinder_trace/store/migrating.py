"""Moving a database's schema (数据库迁移) to the version this program works with, by the steps in ``migrations``.

A database says its version in `meta`; Alembic keeps the same one in a table of its own, written in the same
transaction.  Alembic takes a third of a second to load, so it is loaded only when there is something to move.

Crash points: all steps, and the version, are one transaction on either home.  A kill before its commit leaves the old
schema whole; after it the new one is.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Table, delete, insert, inspect, update

from cylinder_trace.store.tables import OLDEST_BESIDE, SCHEMA_VERSION, MetaRow

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

BEFORE_ALEMBIC = "1"
"""The version of databases that were made before there were migrations; Alembic has no table in them."""
BESIDE = "beside"
"""The row of `meta` with the oldest schema whose programs may go on working on this one (并行升级)."""


class Step(NamedTuple):
    """One migration: the version it leads to, and what it does in a few words."""

    version: str
    does: str


def steps_from(version: str | None) -> Sequence[Step]:
    """The migrations that lead from `version` (None: an empty database) to this program's, in order."""
    if version == SCHEMA_VERSION:
        return ()
    revisions = _scripts().iterate_revisions(SCHEMA_VERSION, version or "base")
    return [Step(found.revision, found.doc.rstrip(".")) for found in reversed(list(revisions))]


def move_schema(connection: Connection, version: str | None) -> None:
    """Run the steps from `version` (None: an empty database) on, in the transaction of `connection`."""
    if version == BEFORE_ALEMBIC and not inspect(connection).has_table("alembic_version"):
        _run(connection, lambda held, context: _scripts()._stamp_revs(BEFORE_ALEMBIC, held))
    _run(connection, lambda held, context: _scripts()._upgrade_revs(SCHEMA_VERSION, held))
    says: Table = MetaRow.__table__  # type: ignore[attr-defined]
    connection.execute(update(says).where(says.c.key == "schema").values(value=SCHEMA_VERSION))
    if version is not None:
        connection.execute(delete(says).where(says.c.key == BESIDE))
        connection.execute(insert(says).values(key=BESIDE, value=OLDEST_BESIDE))


def _run(connection: Connection, steps: Callable[[Any, Any], Any]) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    with EnvironmentContext(Config(), _scripts(), fn=steps) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()


@cache
def _scripts() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(__file__).parent / "migrations"))
