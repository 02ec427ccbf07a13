"""Who holds which bearer token. The token itself is nowhere: only its SHA-256 is kept."""

from hashlib import sha256

from sqlalchemy import Engine, select
from sqlmodel import SQLModel

from cylinder_trace.store.tables import AccountRow, SubjectNowRow
from cylinder_trace.store.unit import upsert

_account = AccountRow.__table__  # type: ignore[attr-defined]
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]


def secret_sha256(secret: str) -> str:
    """How a token or a one-time code is kept: its SHA-256 as hex. Both are long and random, so no salt."""
    return sha256(secret.encode()).hexdigest()


def read_account(engine: Engine, token: str) -> AccountRow | None:
    """The account whose token this is, revoked or not."""
    with engine.connect() as connection:
        query = select(_account).where(_account.c.token_sha256 == secret_sha256(token))
        row = connection.execute(query).one_or_none()
    return AccountRow(**row._mapping) if row else None


def read_accounts(engine: Engine) -> list[AccountRow]:
    """Every account, in the order of their ids."""
    with engine.connect() as connection:
        return [AccountRow(**row._mapping) for row in connection.execute(select(_account).order_by("account_id"))]


def write_row(engine: Engine, row: SQLModel) -> None:
    """Write one row of the service's own tables beside a running service; the same key is replaced."""
    with engine.begin() as connection:
        upsert(connection, type(row), [row.model_dump()])


def station_is_known(engine: Engine, station_id: str) -> bool:
    """Whether a station of this id is on file."""
    with engine.connect() as connection:
        return connection.scalar(select(_now.c.n).where(_now.c.subject == f"station/{station_id}")) is not None
