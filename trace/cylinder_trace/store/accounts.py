"""Who holds which bearer token. The token itself is nowhere: only its SHA-256 is kept."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import Engine, bindparam, select
from sqlmodel import SQLModel

from cylinder_trace.store.tables import AccountRow, SubjectNowRow
from cylinder_trace.store.unit import upsert

_account = AccountRow.__table__  # type: ignore[attr-defined]
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_BY_SECRETS = select(_account).where(_account.c.token_sha256.in_(bindparam("secrets", expanding=True)))


def secret_sha256(secret: str) -> str:
    """How a token or a one-time code is kept: its SHA-256 as hex. Both are long and random, so no salt."""
    return sha256(secret.encode()).hexdigest()


def read_account(engine: Engine, token: str) -> AccountRow | None:
    """The account whose token this is, revoked or not."""
    return accounts_of(engine, [secret_sha256(token)]).get(secret_sha256(token))


def accounts_of(engine: Engine, secrets_sha256: Sequence[str]) -> Mapping[str, AccountRow]:
    """The accounts, revoked or not, whose secrets have these SHA-256, by them."""
    with engine.connect() as connection:
        rows = connection.execute(_BY_SECRETS, {"secrets": secrets_sha256}).all()
    return {row.token_sha256: AccountRow(**row._mapping) for row in rows}


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
