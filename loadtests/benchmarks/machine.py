"""What a figure was measured on: machine, versions, commit. No name of the machine, no folder of it."""

import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import BenchError

ROOT = Path(__file__).resolve().parents[2]
_THAT_MATTER = ("cryptography", "fastapi", "orjson", "pydantic", "sqlalchemy", "sqlmodel", "starlette", "uvicorn")


def resident_mb(pid: int) -> float:
    """The most memory that a process ever had resident, in millions of bytes; raises BenchError where Linux is not."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise BenchError("memory is read from /proc, which is not there") from error
    (kibibytes,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kibibytes * 1024 / 1e6


def run_measured(command: Sequence[str]) -> tuple[int, str, float]:
    """How a command ended, what it printed, and the most memory it ever had resident, in millions of bytes."""
    measured = [sys.executable, str(Path(__file__).with_name("most_memory.py")), *command]
    done = subprocess.run(measured, stdout=subprocess.PIPE, text=True, check=False)
    printed, _, most = done.stdout.rstrip("\n").rpartition("\n")
    return done.returncode, printed, int(most) / 1e6


def describe_machine() -> dict[str, object]:
    """Processor, cores, memory, system, and how busy it was when the measuring began (1 minute load average)."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def describe_versions() -> dict[str, str]:
    """Versions of what the figures depend on."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {"python": python, "sqlite": sqlite3.sqlite_version} | {name: version(name) for name in _THAT_MATTER}


def commit() -> str:
    """The commit measured, with ``+changes`` behind it when tracked files differ; ``unknown`` outside a checkout."""
    head = _git("rev-parse", "HEAD")
    if not head:
        return "unknown"
    return f"{head}+changes" if _git("status", "--porcelain", "--untracked-files=no") else head


def _git(*arguments: str) -> str:
    # whoever owns the checkout: a container often mounts it from another user
    command = ["git", "-c", "safe.directory=*", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
