"""Take the newest versions our pyprojects allow into the two committed locks: `make lock`.

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
    """Rewrite requirements.lock and requirements-bootstrap.lock."""
    uv = find_uv() or install_uv()
    subprocess.run([uv, "lock", "--upgrade", "--quiet"], cwd=ROOT, check=True)
    export = [uv, "export", *WHOLE_WORKSPACE, *BARE, "--output-file", "requirements.lock"]
    subprocess.run(export, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    compiled = [uv, "pip", "compile", "--universal", "--generate-hashes", "--python-version", "3.11", *BARE]
    bootstrap = [*compiled, "--upgrade", "-", "--output-file", "requirements-bootstrap.lock"]
    subprocess.run(bootstrap, cwd=ROOT, check=True, input="uv\n", text=True, stdout=subprocess.DEVNULL)
    print("requirements.lock and requirements-bootstrap.lock are new; `make setup test` next.")


if __name__ == "__main__":
    main()
