"""Named queries and subscriptions (命名查询、订阅): the rows, and how far each subscription's other side has come.

Crash point: a subscription moves on when its answer was taken, in one row by itself.  A kill before that sends the same
events again; none is left out.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, and_, delete, func, insert, null, or_, select, update
from sqlalchemy.exc import IntegrityError

from cylinder_trace.store.epcis.selecting import EVENT
from cylinder_trace.store.tables import AccountRow, ClientRow, EpcisQueryRow, EpcisSubscriptionRow, LoginRow

QUERY: Table = EpcisQueryRow.__table__  # type: ignore[attr-defined]
SUBSCRIPTION: Table = EpcisSubscriptionRow.__table__  # type: ignore[attr-defined]
_account: Table = AccountRow.__table__  # type: ignore[attr-defined]
_client: Table = ClientRow.__table__  # type: ignore[attr-defined]
_login: Table = LoginRow.__table__  # type: ignore[attr-defined]


def add_query(engine: Engine, row: EpcisQueryRow) -> bool:
    """Keep a new query; False where the organisation has one of this name."""
    try:
        with engine.begin() as connection:
            connection.execute(insert(QUERY).values(**row.model_dump()))
    except IntegrityError:
        return False
    return True


def read_query(connection: Connection, org_id: str, name: str) -> EpcisQueryRow | None:
    """An organisation's query of this name."""
    row = connection.execute(select(QUERY).where(QUERY.c.org_id == org_id, QUERY.c.name == name)).one_or_none()
    return EpcisQueryRow(**row._mapping) if row else None


def read_queries(connection: Connection, org_id: str, behind: str, limit: int) -> list[EpcisQueryRow]:
    """An organisation's queries by name, from behind one on."""
    query = select(QUERY).where(QUERY.c.org_id == org_id, QUERY.c.name > behind).order_by(QUERY.c.name).limit(limit)
    return [EpcisQueryRow(**row._mapping) for row in connection.execute(query)]


def count_queries(connection: Connection, org_id: str) -> int:
    """How many queries an organisation keeps."""
    return int(connection.scalar(select(func.count()).where(QUERY.c.org_id == org_id)) or 0)


def delete_query(engine: Engine, org_id: str, name: str) -> bool:
    """Let a query go, and every subscription to it; False where there is none."""
    with engine.begin() as connection:
        gone = connection.execute(delete(QUERY).where(QUERY.c.org_id == org_id, QUERY.c.name == name)).rowcount
        here = SUBSCRIPTION.c.org_id == org_id, SUBSCRIPTION.c.query_name == name
        connection.execute(delete(SUBSCRIPTION).where(*here))
    return gone == 1


def add_subscription(engine: Engine, row: EpcisSubscriptionRow) -> bool:
    """Keep a new subscription; False where its query has gone meanwhile."""
    with engine.begin() as connection:
        # Written first, so that on SQLite too nobody takes the query away in between.
        connection.execute(insert(SUBSCRIPTION).values(**row.model_dump()))
        if read_query(connection, row.org_id, row.query_name) is not None:
            return True
        connection.rollback()
    return False


def read_subscriptions(connection: Connection, org_id: str, name: str) -> list[EpcisSubscriptionRow]:
    """The subscriptions to a query that have not ended, by their making."""
    here = SUBSCRIPTION.c.org_id == org_id, SUBSCRIPTION.c.query_name == name, SUBSCRIPTION.c.ended_at.is_(None)
    query = select(SUBSCRIPTION).where(*here).order_by(SUBSCRIPTION.c.created_at, SUBSCRIPTION.c.id)
    return [EpcisSubscriptionRow(**row._mapping) for row in connection.execute(query)]


def active_subscriptions(connection: Connection) -> list[EpcisSubscriptionRow]:
    """Everybody's that have not ended, those that were not tried for longest in front."""
    query = select(SUBSCRIPTION).where(SUBSCRIPTION.c.ended_at.is_(None))
    rows = connection.execute(query.order_by(func.coalesce(SUBSCRIPTION.c.tried_at, 0), SUBSCRIPTION.c.id))
    return [EpcisSubscriptionRow(**row._mapping) for row in rows]


def delete_subscription(engine: Engine, org_id: str, name: str, id: str) -> bool:
    """Let a subscription go; False where there is none."""
    here = SUBSCRIPTION.c.id == id, SUBSCRIPTION.c.org_id == org_id, SUBSCRIPTION.c.query_name == name
    with engine.begin() as connection:
        return connection.execute(delete(SUBSCRIPTION).where(*here)).rowcount == 1


def move_subscription(engine: Engine, row: EpcisSubscriptionRow, changes: Mapping[str, Any]) -> bool:
    """Change a subscription that stands where `row` has it; False where it moved or went meanwhile."""
    here = SUBSCRIPTION.c.id == row.id, SUBSCRIPTION.c.at_seq == row.at_seq, SUBSCRIPTION.c.ended_at.is_(None)
    with engine.begin() as connection:
        return connection.execute(update(SUBSCRIPTION).where(*here).values(dict(changes))).rowcount == 1


def seq_before(connection: Connection, record_time: int) -> int:
    """The number of the last event that was recorded before an instant; recordTime rises with the numbers."""
    query = select(EVENT.c.seq).where(EVENT.c.record_time < record_time)
    return int(connection.scalar(query.order_by(EVENT.c.record_time.desc(), EVENT.c.seq.desc()).limit(1)) or 0)


class Asker(NamedTuple):
    """Who subscribed, in which role and for whom: whoever is somebody else by now is not told."""

    account_id: str
    role: str
    org_id: str


def may_still_ask(connection: Connection, askers: Collection[Asker], scope: str, now: int) -> set[Asker]:
    """Which of them still have a token, a login or a key that is in force, for the same and with this scope."""
    token = and_(
        _account.c.revoked_at.is_(None), or_(_account.c.expires_at.is_(None), _account.c.expires_at > now)
    )  # fmt: skip
    ways = (
        (_account, _account.c.account_id, _account.c.scope, token),
        (_client, _client.c.client_id, _client.c.scope, _client.c.revoked_at.is_(None)),
        (_login, _login.c.user_id, null(), _login.c.revoked_at.is_(None)),
    )
    found: set[Asker] = set()
    for table, id, scopes, in_force in ways:
        here = id.in_(sorted({asker.account_id for asker in askers}))
        rows = connection.execute(select(id, table.c.role, table.c.org_id, scopes.label("may")).where(here, in_force))
        found.update(Asker(*row[:3]) for row in rows if row.may is None or scope in row.may.split())
    return found & set(askers)
