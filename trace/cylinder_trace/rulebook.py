"""The numbers and dates behind the rules: data, versioned, valid from–to, one readable file per jurisdiction.

`parse_rulebook` reads the TOML text and names each mistake by its place.  Sources that contradict each other are
parameters here, with the source named in the file beside the number.
"""

import tomllib
from functools import lru_cache
from typing import Literal

from pydantic import Field

from cylinder_trace.events import first_fault
from cylinder_trace.values import Count, Day, Frozen, Grams, Id, Millilitres, Text


class RulebookError(ValueError):
    """The rulebook's text has a mistake; the message names the place."""


class InspectionRules(Frozen):
    """Periodic inspection (定期检验)."""

    interval_months: Count
    due_precision: Literal["first_day", "last_day"]
    """Which day of the due month is the last legal one."""
    guard_days: Count
    warn_days: Count


class LifeRules(Frozen):
    """Service life (使用年限)."""

    unstated_life_months: Count
    extension_months: Count
    longest_life_months: Count
    """No evaluation extends a stated design life beyond this."""


class OwnershipRules(Frozen):
    """Registration and ownership (使用登记、产权)."""

    registration_grace_days: Count
    cooling_days: Count


class IdentityRules(Frozen):
    """One bottle, one code (一瓶一码)."""

    travel_minutes: Count
    """The same code at two stations within this time cannot be one cylinder."""
    stamp_tare_tolerance_g: Grams = 0
    """How far the tare read from the steel may lie from the one on file; a number on steel is exact."""


class FillRules(Frozen):
    """Masses and times of a fill (充装量)."""

    coefficient_g_per_l: Count
    tare_drift_g: Grams
    permit_start_seconds: Count
    longest_fill_seconds: Count


class StationRules(Frozen):
    """What a station must have in order (充装站)."""

    data_max_age_hours: Count
    clock_skew_max_seconds: Count


class ModelRules(Frozen):
    """Commercial fill of one cylinder model."""

    water_volume_ml: Millilitres
    nominal_g: Grams
    tolerance_g: Grams


class Rulebook(Frozen):
    """A parsed rulebook."""

    rulebook_id: Id
    version: Id
    title: Text
    valid_from: Day
    valid_until: Day | None = None
    inspection: InspectionRules
    life: LifeRules
    ownership: OwnershipRules
    identity: IdentityRules
    fill: FillRules
    station: StationRules
    models: dict[str, ModelRules] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """``id@version``, as decisions quote it."""
        return f"{self.rulebook_id}@{self.version}"


@lru_cache(maxsize=64)
def parse_rulebook(text: str) -> Rulebook:
    """The rulebook in a TOML text; raises RulebookError naming the line or the field."""
    try:
        return Rulebook.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RulebookError(f"rulebook is not TOML: {error}") from error
    except ValueError as error:
        raise RulebookError(f"rulebook: {first_fault(error)}") from error
