"""Where the service lives: data folder, database, Redis, rulebook. From arguments first, else the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cylinder_api.commands.failure import CannotDo
from cylinder_api.secret_files import with_secrets
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.legacy_forms import ScanForms, parse_legacy_forms

DEFAULT_RULEBOOK = "cn-default"


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a minute; None = without end. A busy station makes some hundred, a bulk import one."""

    account: int | None = 60_000
    address: int | None = 6_000
    """Of one address on the routes that ask for no token."""
    attempts: int | None = 300
    """Of one address where a password, a code or a key could be tried out."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a slow client is waited for, and how many clients at once."""

    head_s: float = 20
    """From the first byte of a request to the end of its headers."""
    body_s: float = 300
    """For the whole body."""
    idle_s: int = 75
    """For the next request on a connection; longer than proxies and clients keep theirs, so that none sends its next
    one into a door that is just being shut."""
    connections: int = 10_000
    """Open at once; whoever comes on top is answered 503."""


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
    rates: Rates = field(default_factory=Rates)
    patience: Patience = field(default_factory=Patience)
    metrics_token: str | None = None
    """Opens /metrics and nothing else."""
    company_prefixes: tuple[str, ...] = ()
    """GS1 company prefixes (厂商识别代码) whose length is known here; with them EPCIS answers in URNs too."""
    private_receivers: bool = False
    """Messages also go over plain http and to addresses that are not public: for development, and in one house."""
    forms: ScanForms = field(default_factory=ScanForms)
    """Hosts whose links carry our codes, and what numbers from before look like here."""


def settings_for(
    data: Path,
    database_url: str | None = None,
    redis_url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings for a data folder; what is not given comes from DATABASE_URL, REDIS_URL, RULEBOOK, FLAGS_PER_HOUR.

    DATABASE_URL_FILE, REDIS_URL_FILE and METRICS_TOKEN_FILE name files that hold the same.
    PUBLIC_URL is where the service is reached from outside.  LINK_HOSTS names hosts, parted by blanks; LEGACY_FORMS
    says how codes from before look, one a line.  COMPANY_PREFIXES are GS1 company prefixes, parted by blanks.
    RATE_PER_ACCOUNT, RATE_PER_ADDRESS, RATE_OF_ATTEMPTS are requests a minute, or "off"; HEAD_SECONDS, BODY_SECONDS and
    MOST_CONNECTIONS bound slow clients; METRICS_TOKEN opens /metrics; RECEIVERS is "public", or "any" for receivers
    within the house.  Raises LegacyFormError, CannotDo.
    """
    folder, environment = data.absolute(), with_secrets(environment)
    return Settings(
        data=folder,
        database_url=database_url or environment.get("DATABASE_URL") or f"sqlite:///{folder / 'ledger.db'}",
        redis_url=redis_url or environment.get("REDIS_URL") or None,
        rulebook_id=environment.get("RULEBOOK") or DEFAULT_RULEBOOK,
        flags_per_hour=_count(environment, "FLAGS_PER_HOUR", 100),
        public_url=(environment.get("PUBLIC_URL") or "").rstrip("/") or None,
        rates=_rates(environment),
        patience=Patience(
            head_s=_count(environment, "HEAD_SECONDS", 20),
            body_s=_count(environment, "BODY_SECONDS", 300),
            connections=_count(environment, "MOST_CONNECTIONS", 10_000),
        ),
        metrics_token=environment.get("METRICS_TOKEN") or None,
        company_prefixes=_prefixes(environment),
        private_receivers=_choice(environment, "RECEIVERS", ("public", "any")) == "any",
        forms=ScanForms(
            hosts=tuple(environment.get("LINK_HOSTS", "").split()) or (DEFAULT_HOST,),
            legacy_forms=parse_legacy_forms(environment.get("LEGACY_FORMS", "")),
        ),
    )


def _prefixes(environment: Mapping[str, str]) -> tuple[str, ...]:
    prefixes = tuple(environment.get("COMPANY_PREFIXES", "").split())
    for prefix in prefixes:
        if not (prefix.isascii() and prefix.isdecimal() and 6 <= len(prefix) <= 12):
            raise CannotDo(f"COMPANY_PREFIXES holds GS1 company prefixes of 6 to 12 digits, not {prefix!r}")
    return prefixes


def _rates(environment: Mapping[str, str]) -> Rates:
    usual = Rates()
    return Rates(
        account=_rate(environment, "RATE_PER_ACCOUNT", usual.account),
        address=_rate(environment, "RATE_PER_ADDRESS", usual.address),
        attempts=_rate(environment, "RATE_OF_ATTEMPTS", usual.attempts),
    )


def _rate(environment: Mapping[str, str], name: str, default: int | None) -> int | None:
    return None if environment.get(name) == "off" else _count(environment, name, default or 0)


def _choice(environment: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """One of some words; the first where nothing is said."""
    word = environment.get(name) or words[0]
    if word not in words:
        raise CannotDo(f"{name} must be one of {', '.join(words)}, not {word!r}; set it right or leave it out")
    return word


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise CannotDo(f"{name} must be a whole number above 0, not {text!r}; set it right or leave it out")
    return int(text)
