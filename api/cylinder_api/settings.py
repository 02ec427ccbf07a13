"""Where the service lives: data folder, database, Redis, rulebook. From arguments first, else the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cylinder_api.commands.failure import CannotDo
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.legacy_forms import ScanForms, parse_legacy_forms

DEFAULT_RULEBOOK = "cn-default"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that differs between two installations."""

    data: Path
    """Keys, public log files and, on SQLite, the ledger itself."""
    database_url: str
    redis_url: str | None = None
    rulebook_id: str = DEFAULT_RULEBOOK
    """The rulebook that fill checks are decided by."""
    flags_per_hour: int = 100
    """More cylinders than this an authority flags in an hour only after a second person has looked."""
    public_url: str | None = None
    """Where the service is reached from outside, https://…; machines may name it in their assertions."""
    forms: ScanForms = field(default_factory=ScanForms)
    """Hosts whose links carry our codes, and what numbers from before look like here."""


def settings_for(
    data: Path,
    database_url: str | None = None,
    redis_url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings for a data folder; what is not given comes from DATABASE_URL, REDIS_URL, RULEBOOK, FLAGS_PER_HOUR.

    PUBLIC_URL is where the service is reached from outside.  LINK_HOSTS names hosts, parted by blanks; LEGACY_FORMS
    says how codes from before look, one a line.
    Raises LegacyFormError, CannotDo.
    """
    folder = data.absolute()
    return Settings(
        data=folder,
        database_url=database_url or environment.get("DATABASE_URL") or f"sqlite:///{folder / 'ledger.db'}",
        redis_url=redis_url or environment.get("REDIS_URL") or None,
        rulebook_id=environment.get("RULEBOOK") or DEFAULT_RULEBOOK,
        flags_per_hour=_count(environment, "FLAGS_PER_HOUR", 100),
        public_url=(environment.get("PUBLIC_URL") or "").rstrip("/") or None,
        forms=ScanForms(
            hosts=tuple(environment.get("LINK_HOSTS", "").split()) or (DEFAULT_HOST,),
            legacy_forms=parse_legacy_forms(environment.get("LEGACY_FORMS", "")),
        ),
    )


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise CannotDo(f"{name} must be a whole number above 0, not {text!r}; set it right or leave it out")
    return int(text)
