"""Every step after schema 8 only adds (decision 0026): a service of the version before goes on while it is made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from cylinder_trace.store import migrating
from cylinder_trace.store.database import StoreError, create_schema, open_engine, parse_url, planned_move
from cylinder_trace.store.migrating import BESIDE
from cylinder_trace.store.snapshot import open_snapshot
from cylinder_trace.store.tables import OLDEST_BESIDE, SCHEMA_VERSION
from ledgers.homes import KEY, Home, registered, returned

STEPS = [str(version) for version in range(int(OLDEST_BESIDE) + 1, int(SCHEMA_VERSION) + 1)]
_POSTGRES_TRIGGERS = "SELECT tgrelid::regclass || ': ' || pg_get_triggerdef(oid) FROM pg_trigger"
_SQLITE_TRIGGERS = "SELECT tbl_name || ': ' || sql FROM sqlite_master WHERE type = 'trigger'"
_CHECKS = (
    "SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE conrelid <> 0 AND contype <> 'n'"  # NOT NULL is the columns' matter
)
Shape = dict[str, Any]


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    opened = open_engine(parse_url(home.url), writer=True)
    yield opened
    opened.dispose()


def move(engine: Engine, version: str) -> None:
    """Bring an empty database, or one of an older schema, to this version and no further."""
    with engine.begin() as connection:
        migrating._run(connection, lambda held, _context: migrating._scripts()._upgrade_revs(version, held))


def shape(engine: Engine) -> Shape:
    """Table → columns, and all rules that bind who writes: keys, unique indexes, checks, triggers."""
    look, bound = inspect(engine), rules(engine)
    columns, keys, indexes = look.get_multi_columns(), look.get_multi_pk_constraint(), look.get_multi_indexes()
    uniques, foreign = look.get_multi_unique_constraints(), look.get_multi_foreign_keys()
    return {
        place[1]: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in columns[place]
            },
            "rules": sorted(
                [str(keys[place]["constrained_columns"])]
                + [str(unique["column_names"]) for unique in uniques[place]]
                + [str(index["column_names"]) for index in indexes[place] if index["unique"]]
                + [str(key) for key in foreign[place]]
                + [rule for rule in bound if rule.startswith(f"{place[1]}: ")]
            ),
            "indexes": {index["name"] for index in indexes[place]},
        }
        for place in columns
    }


def rules(engine: Engine) -> list[str]:
    """Triggers, and on PostgreSQL every constraint."""
    asked = [_SQLITE_TRIGGERS] if engine.dialect.name == "sqlite" else [_POSTGRES_TRIGGERS, _CHECKS]
    with engine.connect() as connection:
        return [rule for query in asked for rule in connection.scalars(text(query))]


def breaches(before: Shape, after: Shape) -> list[str]:
    """What a program that knows the shape of before would stumble over in the one of after."""
    found = []
    for table, was in before.items():
        now = after.get(table, {"columns": {}, "rules": [], "indexes": set()})
        found += [f"{table}.{name}" for name, column in was["columns"].items() if now["columns"].get(name) != column]
        found += [f"{table}: {rule}" for rule in set(was["rules"]) ^ set(now["rules"])]
        # one that goes slows readers; one that comes holds up all writers for as long as it is made
        found += [f"{table}: index {name}" for name in was["indexes"] ^ now["indexes"]]
        for name in set(now["columns"]) - set(was["columns"]):
            _, nullable, default = now["columns"][name]
            found += [] if nullable or default is not None else [f"{table}.{name} must be given by older writers"]
    return found


def test_each_step_leaves_what_was_there_and_asks_nothing_new_of_who_writes(engine: Engine) -> None:
    move(engine, OLDEST_BESIDE)
    for version in STEPS:
        before = shape(engine)
        move(engine, version)
        assert breaches(before, shape(engine)) == [], f"step {version}"


def test_a_step_that_an_older_service_would_stumble_over_is_found(engine: Engine) -> None:
    move(engine, OLDEST_BESIDE)
    steps = [
        "ALTER TABLE person RENAME COLUMN company_id TO owner_id",
        "ALTER TABLE login DROP COLUMN district",
        "CREATE UNIQUE INDEX account_once ON account (account_id)",
        "DROP INDEX account_by_id",
        "CREATE INDEX person_by_company ON person (commitment)",
        "DROP TABLE assertion",
    ]
    if engine.dialect.name == "postgresql":  # SQLite itself refuses such a column
        steps.append("ALTER TABLE kept_answer ADD COLUMN kind VARCHAR NOT NULL")
    for step in steps:
        before = shape(engine)
        with engine.begin() as connection:
            connection.execute(text(step))
        assert breaches(before, shape(engine)), step


def set_newer(engine: Engine, beside: str | None) -> None:
    """As a newer version would leave it, which says from which schema on others may go on."""
    with engine.begin() as connection:
        newer = str(int(SCHEMA_VERSION) + 3)
        connection.execute(text("UPDATE meta SET value = :newer WHERE key = 'schema'"), {"newer": newer})
        connection.execute(text("DELETE FROM meta WHERE key = :name"), {"name": BESIDE})
        if beside is not None:
            connection.execute(text("INSERT INTO meta (key, value) VALUES (:k, :v)"), {"k": BESIDE, "v": beside})


def test_this_version_goes_on_beside_a_newer_one_that_says_so_but_moves_and_copies_nothing_of_it(
    home: Home, engine: Engine
) -> None:
    with home.open() as ledger:
        ledger.append([registered(1)])
    set_newer(engine, SCHEMA_VERSION)
    with home.open() as ledger:
        assert ledger.append([returned(1, "r1")])[0].index == 1
    with pytest.raises(StoreError, match="made by a newer version"):
        planned_move(home.url)
    with pytest.raises(StoreError, match="made by a newer version"), open_snapshot(home.url, home.folder):
        pass


@pytest.mark.parametrize("beside", [None, str(int(SCHEMA_VERSION) + 1)])
def test_this_version_stays_away_where_a_newer_one_has_changed_what_it_needs(
    home: Home, engine: Engine, beside: str | None
) -> None:
    create_schema(engine, KEY.name)
    set_newer(engine, beside)
    with pytest.raises(StoreError, match="install the newer version"), home.open():
        pass


def test_a_database_that_was_moved_says_which_versions_may_go_on_as_a_new_one_does(home: Home, engine: Engine) -> None:
    create_schema(engine, KEY.name)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM meta WHERE key = :name"), {"name": BESIDE})
        migrating.move_schema(connection, SCHEMA_VERSION)
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT value FROM meta WHERE key = :name"), {"name": BESIDE})
    assert found == OLDEST_BESIDE


def test_a_step_does_not_wait_long_for_a_table_that_somebody_holds_and_then_nothing_is_changed(
    postgres_url: str, tmp_path: Path
) -> None:
    home, engine = Home(postgres_url, tmp_path), open_engine(parse_url(postgres_url), writer=True)
    move(engine, OLDEST_BESIDE)
    with engine.begin() as connection:
        for key, value in (("schema", OLDEST_BESIDE), ("origin", KEY.name)):
            connection.execute(text("INSERT INTO meta (key, value) VALUES (:k, :v)"), {"k": key, "v": value})
    with engine.begin() as holding:
        holding.execute(text("LOCK TABLE alembic_version IN SHARE MODE"))
        with pytest.raises(StoreError, match="somebody else holds one of them"), home.open():
            pass
    assert planned_move(postgres_url)[0] == OLDEST_BESIDE
    engine.dispose()
