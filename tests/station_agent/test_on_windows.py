"""What a Windows PC has not is not asked for there: as far as that can be tried without one."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import station_agent
from station_agent import clock, device
from station_agent.device import DeviceError, only_one

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
