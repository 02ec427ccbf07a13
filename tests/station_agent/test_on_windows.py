"""What a Windows PC has not is not asked for there: as far as that can be tried without one."""

import ast
import io
import json
import ntpath
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import pytest

import station_agent
from station_agent import clock, device
from station_agent.device import DeviceError, only_one, write_secret
from station_agent.headless import Headless, in_utf8
from station_agent.replica import Replica
from station_agent.service_unit import windows_task
from station_agent.ticket_printer import printer_place

MODULES = sorted(Path(station_agent.__file__).parent.rglob("*.py"))
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}


def imported_at_import(body: list[ast.stmt]) -> Iterator[str]:
    """What a module imports when it is imported, on a machine that is no Windows machine left out."""
    for statement in body:
        match statement:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=module):
                yield module or ""
            case ast.If(test=test, body=inner, orelse=other):
                asks = ast.unparse(test)
                if "win32" not in asks:
                    yield from imported_at_import(inner)
                yield from imported_at_import(other) if "!=" in asks or "win32" not in asks else ()
            case ast.Try(body=inner, handlers=handlers):
                if not any("ImportError" in ast.unparse(handler) for handler in handlers):
                    yield from imported_at_import(inner)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_module_needs_at_import_what_only_posix_has(module: Path) -> None:
    assert not POSIX_ONLY & set(imported_at_import(ast.parse(module.read_text("utf-8")).body))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_module_asks_the_loop_for_signals(module: Path) -> None:
    assert "add_signal_handler" not in module.read_text("utf-8")


def test_one_agent_holds_the_folder_by_the_lock_that_windows_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked: set[int] = set()

    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        if locked:
            raise OSError(36, "Resource deadlock avoided")
        locked.add(descriptor)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(device, "sys", SimpleNamespace(platform="win32"))
    with only_one(tmp_path), pytest.raises(DeviceError, match="Another agent"), only_one(tmp_path):
        pass


def test_a_start_of_windows_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Opened:
        def __enter__(self) -> "Opened":
            return self

        def __exit__(self, *_: object) -> None:
            return None

    registry = SimpleNamespace(
        HKEY_LOCAL_MACHINE=0, OpenKey=lambda *_: Opened(), QueryValueEx=lambda _key, name: ({"BootId": 41}[name], 4)
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(clock, "sys", SimpleNamespace(platform="win32"))
    assert clock.machine_boot() == "windows-41"


def test_a_json_line_is_utf_8_whatever_the_console_s_code_page_is() -> None:
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="gbk", newline="\r\n")
    Headless(in_utf8(out), lambda: 1).tell("refused", None, {"zh": "此瓶被标记为黑气瓶", "raw_scan": "é\udce9"})
    out.flush()
    assert json.loads(written.getvalue().decode())["zh"] == "此瓶被标记为黑气瓶"
    assert written.getvalue().endswith(b"}\n")


def test_a_secret_is_whole_where_no_folder_can_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "sys", SimpleNamespace(platform="win32"))
    write_secret(tmp_path / "token", "one")
    write_secret(tmp_path / "token", "two")
    assert (tmp_path / "token").read_text("utf-8") == "two\n"
    assert [file.name for file in tmp_path.iterdir()] == ["token"]


def test_a_damaged_replica_that_another_program_holds_open_is_made_anew_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "replica.db"
    file.write_bytes(b"noise" * 1_000)
    held = tmp_path / "replica.db-shm"
    held.mkdir()  # what cannot be removed, as an open file there
    replica = Replica(file, "station-1", bytes(32))
    assert replica.was_damaged
    assert replica.cylinder_count() == 0
    replica.close()


def test_the_task_of_the_scheduler_names_its_paths_whole_and_is_plain_ascii_besides() -> None:
    config, data = PureWindowsPath(r"C:\瓶链\station.toml"), PureWindowsPath(r"C:\瓶链")
    text = windows_task(config, data, PureWindowsPath(r"C:\瓶链.key"))
    assert text.startswith("@chcp 65001 >nul\n")
    assert r'--config \"C:\瓶链\station.toml\""' in text
    assert text.replace("瓶链", "").isascii()
    with pytest.raises(ValueError, match="261 characters"):
        windows_task(data / ("long" * 60) / "station.toml", data, data)


@pytest.mark.parametrize(
    ("named", "opened"),
    [
        (r"\\.\LPT1", r"\\.\LPT1"),
        (r"\\pc\printer", r"\\pc\printer"),
        (r"C:\tickets.txt", r"C:\tickets.txt"),
        ("tickets.txt", r"D:\station\tickets.txt"),
    ],
)
def test_a_printer_is_opened_by_the_name_that_the_settings_give_it(named: str, opened: str) -> None:
    printer = tomllib.loads(f"printer = '{named}'")["printer"]
    assert printer_place(PureWindowsPath("D:/station"), printer, ntpath.join) == opened
