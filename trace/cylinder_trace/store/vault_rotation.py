"""Another master key (主密钥轮换): what the old one sealed is sealed with the new one, row by row.

Only keys are sealed anew, never personal data.  Crash points: each page is one transaction, and a row that the new key
opens already is left as it is; so the same run again goes on where it was killed.  A person who is erased meanwhile
stays erased: a row changes only if it still holds what was read.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine, Table, select, update

from cylinder_trace.store.progress import Tell, silent
from cylinder_trace.store.tables import EpcisSubscriptionRow, LoginRow, PersonRow, WebhookRow
from cylinder_trace.store.vault import rewrap

_PAGE = 500
_PERSON: Table = PersonRow.__table__  # type: ignore[attr-defined]
_LOGIN: Table = LoginRow.__table__  # type: ignore[attr-defined]
_WEBHOOK: Table = WebhookRow.__table__  # type: ignore[attr-defined]
_SUBSCRIPTION: Table = EpcisSubscriptionRow.__table__  # type: ignore[attr-defined]


class Sealed(NamedTuple):
    """A column that holds something sealed, and under whose name each row's is."""

    table: Table
    name: str
    column: str


DATA_KEYS = Sealed(_PERSON, "customer_id", "wrapped_key")
SECOND_FACTORS = Sealed(_LOGIN, "user_id", "totp_sealed")
SIGNING_SECRETS = (
    Sealed(_WEBHOOK, "webhook_id", "secret_sealed"),
    Sealed(_WEBHOOK, "webhook_id", "old_secret_sealed"),
    Sealed(_SUBSCRIPTION, "id", "secret_sealed"),
)
"""What messages to others are signed with."""


def rewrap_all(engine: Engine, what: Sealed, new: bytes, old: Sequence[bytes], tell: Tell = silent) -> int:
    """Seal all of a column with `new`; how many rows had to be. Raises VaultError for what no key opens."""
    changed, seen, after = 0, 0, ""
    while rows := _page(engine, what, after):
        changes = [(name, sealed, rewrap(bytes(sealed), name, new, old)) for name, sealed in rows]
        due = [(name, sealed, again) for name, sealed, again in changes if again is not None]
        _write(engine, what, due)
        changed, seen, after = changed + len(due), seen + len(rows), rows[-1][0]
        tell(f"rows of {what.table.name} sealed 重新加密", seen, 0)
    return changed


def require_opens(engine: Engine, master_key: bytes) -> None:
    """Raise VaultError unless the key opens what lies in the vault: nobody is to be sealed with another one."""
    query = select(_PERSON.c.customer_id, _PERSON.c.wrapped_key).where(_PERSON.c.wrapped_key.is_not(None)).limit(1)
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is not None:
        rewrap(bytes(row.wrapped_key), row.customer_id, master_key, ())


def _page(engine: Engine, what: Sealed, after: str) -> list[tuple[str, bytes]]:
    name, column = what.table.c[what.name], what.table.c[what.column]
    query = select(name, column).where(name > after, column.is_not(None)).order_by(name).limit(_PAGE)
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def _write(engine: Engine, what: Sealed, due: Sequence[tuple[str, bytes, bytes]]) -> None:
    name, column = what.table.c[what.name], what.table.c[what.column]
    with engine.begin() as connection:
        for key, before, again in due:
            change: dict[Any, Any] = {column: again}
            connection.execute(update(what.table).where(name == key, column == before).values(change))
