"""Settings that hold a secret may stand in a file, as secret stores and systemd's credentials hand them over.

``DATABASE_URL_FILE=/run/secrets/database-url`` says the same as ``DATABASE_URL=…`` and shows in no list of processes.
"""

from collections.abc import Mapping
from pathlib import Path

from cylinder_api.commands.failure import CannotDo

NAMES = ("DATABASE_URL", "REDIS_URL", "METRICS_TOKEN")


def with_secrets(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, and what the files say that it names; raises CannotDo."""
    named = {name: path for name in NAMES if (path := environment.get(f"{name}_FILE"))}
    if both := [name for name in named if environment.get(name)]:
        raise CannotDo(f"{both[0]} and {both[0]}_FILE are both set: leave one of them out")
    return {**environment, **{name: _read(name, Path(path)) for name, path in named.items()}}


def _read(name: str, path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise CannotDo(f"{name}_FILE: cannot read {path}: {reason}; put the secret there, for this user") from error
    if not text or "\n" in text:
        raise CannotDo(f"{name}_FILE: {path} must hold one line, the secret itself")
    return text
