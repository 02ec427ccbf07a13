"""The schema is made and moved by versioned steps alone, on both homes, and never half way."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, event, text
from sqlmodel import SQLModel

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, read_vkey
from cylinder_trace.store import migrating
from cylinder_trace.store.database import StoreError, create_schema, open_engine, parse_url, planned_move
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import ENTRY_ID, SCHEMA_VERSION
from ledgers.homes import KEY, Home, bound, registered, returned
from ledgers.schema_v1 import engine_of, rows_of, set_back
from servers.postgres import fresh_database

MakeHome = Callable[[str], Home]


@pytest.fixture(params=["sqlite", "postgresql"])
def make_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeHome]:
    """Makes an empty home of the given name."""
    with ExitStack() as stack:

        def make(name: str) -> Home:
            folder = tmp_path / name
            folder.mkdir()
            if request.param == "sqlite":
                return Home(f"sqlite:///{folder}/ledger.db", folder)
            server = request.getfixturevalue("postgres_server")
            return Home(stack.enter_context(fresh_database(server)), folder)

        yield make


@pytest.fixture
def home(make_home: MakeHome) -> Home:
    return make_home("new")


@pytest.fixture
def filled(make_home: MakeHome) -> Home:
    """A home of today with a short life in it, published."""
    home = make_home("filled")
    with home.open() as ledger:
        ledger.append([registered(1), registered(2, owner="co_2"), bound(1), returned(2, "r2")])
        assert ledger.publisher.wait_published(4, timeout_s=60)
    return home


@pytest.fixture
def old(make_home: MakeHome, filled: Home) -> Home:
    """The same in the schema of the first version."""
    return aged(filled, make_home("old"))


def aged(filled: Home, empty: Home, *, without: tuple[str, ...] = ()) -> Home:
    """What `filled` holds, in the schema of the first version, with its public files."""
    shutil.copytree(filled.folder / "log", empty.folder / "log")
    return set_back(filled, empty.url, empty.folder, without=without)


def version_of(home: Home) -> tuple[str, str]:
    """What the database says, and what Alembic's table says."""
    engine = engine_of(home)
    with engine.connect() as connection:
        says = connection.scalar(text("SELECT value FROM meta WHERE \"key\" = 'schema'"))
        alembic = connection.scalar(text("SELECT version_num FROM alembic_version"))
    engine.dispose()
    return says, alembic


def differences(home: Home) -> list[Any]:
    """What Alembic would change to make the database what the tables describe; parts of a table are not compared."""
    engine = engine_of(home)
    dialect, described = engine.dialect.name, MetaData()
    for table in (*SQLModel.metadata.tables.values(), *([ENTRY_ID] if dialect == "postgresql" else [])):
        marks = {index.name: index.info for index in table.indexes}  # which are not copied with the table
        for index in table.to_metadata(described).indexes:
            index.info.update(marks[index.name])

    def is_here(item: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
        return item.info.get("home", dialect) == dialect and not str(name).startswith("entry_part_")

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_here})
        found: list[Any] = compare_metadata(context, described)
    engine.dispose()
    return found


def kept(home: Home) -> dict[str, Any]:
    """All rows but those of `meta`, which says the version."""
    return {name: rows for name, rows in rows_of(home).items() if name != "meta"}


def test_a_new_database_is_in_the_newest_schema(home: Home) -> None:
    assert planned_move(home.url)[0] is None
    with home.open():
        pass
    assert version_of(home) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert planned_move(home.url) == (SCHEMA_VERSION, ())


def test_the_version_that_the_tables_say_is_the_newest_step_and_every_step_says_what_it_does() -> None:
    script = ScriptDirectory(str(Path(migrating.__file__).parent / "migrations"))
    assert script.get_heads() == [SCHEMA_VERSION]
    steps = migrating.steps_from(None)
    assert [step.version for step in steps] == [str(number) for number in range(1, int(SCHEMA_VERSION) + 1)]
    assert all(step.does for step in steps)


def test_what_the_steps_make_is_what_the_tables_describe(home: Home) -> None:
    with home.open():
        pass
    assert differences(home) == []


def test_a_database_from_before_there_were_steps_is_recognised_and_moved_with_every_row_as_it_was(old: Home) -> None:
    before = kept(old)
    held, steps = planned_move(old.url)
    assert (held, [step.version for step in steps][-1]) == ("1", SCHEMA_VERSION)
    with old.open() as ledger:
        assert version_of(old) == (SCHEMA_VERSION, SCHEMA_VERSION)
        assert kept(old) == before
        ledger.append([bound(2), returned(1, "r1")])
        assert [row.index for row in ledger.reader.history("cylinder/cyl_1")] == [0, 2, 5]
        assert ledger.publisher.wait_published(6, timeout_s=60)
        auditor = Auditor(ledger.reader.checkpoints(), read_vkey(format_vkey(KEY.verifying_key)))
        auditor.check(ledger.reader.all_entries())
        assert auditor.finish(ledger.reader.read_model()).faults == []


def test_a_moved_database_has_the_schema_of_a_new_one(old: Home) -> None:
    with old.open():
        pass
    assert differences(old) == []


def test_a_database_from_before_there_were_cosignatures_gets_their_table(make_home: MakeHome, filled: Home) -> None:
    older = aged(filled, make_home("older"), without=("cosignature",))
    with older.open() as ledger, ledger.engine.begin() as connection:
        connection.execute(text("INSERT INTO cosignature VALUES (4, 'w', 'line')"))
    assert rows_of(older)["cosignature"] == [(4, "w", "line")]


def test_a_database_newer_than_the_program_is_refused_in_one_sentence_and_left_alone(filled: Home) -> None:
    engine = engine_of(filled)
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = '99' WHERE \"key\" IN ('schema', 'beside')"))
    engine.dispose()
    before = rows_of(filled)
    for look in (lambda: planned_move(filled.url), lambda: Ledger(filled.url, filled.folder, KEY, filled.clock)):
        with pytest.raises(StoreError, match=r"schema 99, made by a newer version.*install the newer version"):
            look()
    assert rows_of(filled) == before


def test_a_ledger_of_another_log_is_not_moved(old: Home) -> None:
    engine = engine_of(old)
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = 'other.example/log' WHERE \"key\" = 'origin'"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"other\.example"), old.open():
        pass
    assert planned_move(old.url)[0] == "1"


_MAKE_READY = """
import os, signal, sys
sys.path.insert(0, "tests")
from sqlalchemy import event
from cylinder_trace.store.database import create_schema, open_engine, parse_url
from ledgers.homes import KEY

url, die_after = sys.argv[1], int(sys.argv[2])
engine = open_engine(parse_url(url), writer=True)
if die_after >= 0:
    done = 0

    @event.listens_for(engine, "after_cursor_execute")
    def count(*_):
        global done
        done += 1
        if done > die_after:
            os.kill(os.getpid(), signal.SIGKILL)

create_schema(engine, KEY.name)
engine.dispose()
"""


def starting(home: Home, die_after: int = -1) -> "subprocess.Popen[bytes]":
    """A process that makes the home ready; it is killed behind its statement number `die_after`."""
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", _MAKE_READY, home.url, str(die_after)], cwd=root)


def statements_of_a_move(home: Home) -> int:
    engine, done = open_engine(parse_url(home.url), writer=True), []
    event.listen(engine, "after_cursor_execute", lambda *call: done.append(call[2]))
    create_schema(engine, KEY.name)
    engine.dispose()
    return len(done)


def test_two_processes_that_start_at_once_on_an_old_database_both_succeed(old: Home) -> None:
    before = kept(old)
    processes = [starting(old), starting(old)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert version_of(old) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert kept(old) == before


def test_two_processes_that_start_at_once_on_an_empty_home_both_succeed(home: Home) -> None:
    processes = [starting(home), starting(home)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert version_of(home) == (SCHEMA_VERSION, SCHEMA_VERSION)


def test_a_file_that_another_process_is_writing_is_waited_for(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        through = threading.Timer(0.3, other.execute, ["COMMIT"])
        through.start()
        engine = open_engine(parse_url(f"sqlite:///{tmp_path}/ledger.db"), writer=True)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        engine.dispose()
        through.join()


def test_a_move_that_is_killed_half_way_leaves_the_old_schema_whole_and_is_done_by_the_next_start(
    make_home: MakeHome, filled: Home
) -> None:
    count = statements_of_a_move(aged(filled, make_home("probe")))
    cut = aged(filled, make_home("cut"))
    before = rows_of(cut)
    for die_after in (count // 2, count - 1):
        assert starting(cut, die_after).wait(60) == -signal.SIGKILL
        assert planned_move(cut.url)[0] == "1"
        assert rows_of(cut) == before
    assert starting(cut).wait(60) == 0
    assert version_of(cut) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert kept(cut) == {name: rows for name, rows in before.items() if name != "meta"}


def test_a_ledger_in_the_newest_schema_opens_without_loading_alembic(tmp_path: Path) -> None:
    home = Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    with home.open():
        pass
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from cylinder_trace.store.database import create_schema, open_engine, parse_url\n"
        "from ledgers.homes import KEY\n"
        "engine = open_engine(parse_url(sys.argv[1]), writer=True)\n"
        "create_schema(engine, KEY.name)\n"
        "engine.dispose()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code, home.url], cwd=root, check=False).returncode == 0
