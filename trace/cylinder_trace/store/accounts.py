"""Who holds which bearer token. The token itself is nowhere: only its SHA-256 is kept."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine, delete, or_, select
from sqlmodel import SQLModel

from cylinder_trace.store.question_line import ANY_OF_THEM, Question, QuestionLine
from cylinder_trace.store.tables import AccountRow, AssertionRow, SubjectNowRow
from cylinder_trace.store.unit import Unit, table_of
from cylinder_trace.store.upsert import upsert

Row = TypeVar("Row", bound=SQLModel)

_account = AccountRow.__table__  # type: ignore[attr-defined]
_assertion = AssertionRow.__table__  # type: ignore[attr-defined]
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_SHOWN_MS = 24 * 3_600_000
"""A token that has ended is kept for so long still."""


class FoundAccount(NamedTuple):
    """What a request must know of its caller's account, revoked or not; see `AccountRow`."""

    token_sha256: str
    account_id: str
    role: str
    org_id: str
    revoked_at: int | None
    district: str | None
    scope: str | None
    expires_at: int | None
    started_at: int | None


_BY_SECRETS = f"SELECT {', '.join(FoundAccount._fields)} FROM {_account.name} WHERE token_sha256 {ANY_OF_THEM}"  # noqa: S608


def secret_sha256(secret: str) -> str:
    """How a token or a one-time code is kept: its SHA-256 as hex. Both are long and random, so no salt."""
    return sha256(secret.encode()).hexdigest()


def accounts_of(line: QuestionLine, secrets_sha256: Sequence[str]) -> Mapping[str, FoundAccount]:
    """The accounts whose secrets have these SHA-256, by them. It is asked for every request."""
    (rows,) = line.ask(Question(_BY_SECRETS, secrets_sha256))
    return {row.token_sha256: row for row in map(FoundAccount._make, rows)}


def read_accounts(engine: Engine) -> list[AccountRow]:
    """Every account, in the order of their ids."""
    with engine.connect() as connection:
        return [AccountRow(**row._mapping) for row in connection.execute(select(_account).order_by("account_id"))]


def read_row(engine: Engine, table: type[Row], key: str) -> Row | None:
    """The row of a table with a key of one column, by that key."""
    columns: Any = table.__table__  # type: ignore[attr-defined]
    (column,) = columns.primary_key.columns
    with engine.connect() as connection:
        row = connection.execute(select(columns).where(column == key)).one_or_none()
    return table(**row._mapping) if row else None


def tokens_of(unit: Unit, account_id: str) -> list[AccountRow]:
    """The account's tokens and sessions as the unit sees them, revoked or not."""
    found = unit.connection.execute(select(_account).where(_account.c.account_id == account_id))
    rows = {row.token_sha256: AccountRow(**row._mapping) for row in found}
    staged = (row for row in unit.staged_rows(AccountRow) if row.account_id == account_id)
    return list((rows | {row.token_sha256: row for row in staged}).values())


def revoke_tokens(unit: Unit, account_id: str, keep: Sequence[str] = ()) -> int:
    """Take the account's tokens and sessions out of force, but those of `keep` (as SHA-256); how many that were."""
    rows = [row for row in tokens_of(unit, account_id) if row.revoked_at is None and row.token_sha256 not in keep]
    for row in rows:
        unit.put(row.model_copy(update={"revoked_at": unit.now}))
    return len(rows)


def renew_session(unit: Unit, token_sha256: str, until: int) -> None:
    """Let a session that is in force end at `until`, and not before."""
    row = unit.find(AccountRow, token_sha256)
    if row is not None and row.revoked_at is None:
        unit.put(row.model_copy(update={"expires_at": max(until, row.expires_at or 0)}))


def forget_ended(unit: Unit, account_id: str) -> None:
    """Let go of the account's tokens that ended a day ago, and of every assertion that nobody could show again."""
    ended = (_account.c.account_id == account_id, _account.c.expires_at < unit.now - _SHOWN_MS)
    unit.connection.execute(delete(_account).where(*ended))
    unit.connection.execute(delete(_assertion).where(_assertion.c.expires_at < unit.now))


def out_of_force(engine: Engine, tokens_sha256: Sequence[str], now: int) -> set[str]:
    """Those of the tokens that open nothing at `now` (UTC ms): revoked, ended, or not there."""
    goes_on = or_(_account.c.expires_at.is_(None), _account.c.expires_at > now)
    query = select(_account.c.token_sha256).where(_account.c.revoked_at.is_(None), goes_on)
    gone = set(tokens_sha256)
    with engine.connect() as connection:
        for start in range(0, len(tokens_sha256), _AT_ONCE):
            some = tokens_sha256[start : start + _AT_ONCE]
            gone.difference_update(connection.scalars(query.where(_account.c.token_sha256.in_(some))))
    return gone


_AT_ONCE = 500


def write_row(engine: Engine, row: SQLModel) -> None:
    """Write one row of the service's own tables beside a running service; the same key is replaced."""
    with engine.begin() as connection:
        upsert(connection, table_of(type(row)), [row.model_dump()])


def station_is_known(engine: Engine, station_id: str) -> bool:
    """Whether a station of this id is on file."""
    with engine.connect() as connection:
        return connection.scalar(select(_now.c.n).where(_now.c.subject == f"station/{station_id}")) is not None
