"""The numbers and dates behind the rules: data, versioned, valid from–to, one readable file per jurisdiction.

`parse_rulebook` reads the TOML text and names each mistake by its place.  Sources that contradict each other are
parameters here, with the source named in the file beside the number.
"""

import tomllib
from functools import lru_cache
from typing import Literal

import orjson
from pydantic import Field

from cylinder_trace.events import first_fault
from cylinder_trace.values import Count, Day, Frozen, Grams, Id, Millilitres, Month, Text


class RulebookError(ValueError):
    """The rulebook's text has a mistake; the message names the place."""


Stated = Literal["required", "if_stated"]
"""What absence means: refused as not shown, or let pass because nobody ever looked (存量气瓶)."""


class InspectionRules(Frozen):
    """Periodic inspection (定期检验)."""

    interval_months: Count
    due_precision: Literal["first_day", "last_day"]
    """Which day of the due month is the last legal one."""
    guard_days: Count
    warn_days: Count
    items: Stated = "if_stated"
    """Whether a passed inspection must show each mandatory item (检验项目)."""
    body_licence: Stated = "if_stated"
    """Whether the register must show the body's licence (检验核准)."""


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
    basis: tuple[Literal["owned", "entrusted", "supply_contract"], ...] = ("owned",)
    """Whose cylinders a station may fill: 自有、托管、供用气合同范围内."""
    technical_file: Stated = "if_stated"
    """Whether the certificates must be on file (产品合格证、监检证)."""
    head_mark: Stated = "if_stated"
    """Whether the filling company's mark must be on file (封头凹印)."""
    head_mark_from: Month | None = None
    """Made from this month on, a cylinder carries that mark; absent = none needs it."""
    regions: Literal["any", "same"] = "any"
    """Whether a cylinder bound to a region may be filled in another one (跨区域充装)."""


class IdentityRules(Frozen):
    """One bottle, one code (一瓶一码)."""

    travel_minutes: Count
    """The same code at two stations within this time cannot be one cylinder."""
    stamp_tare_tolerance_g: Grams = 0
    """How far the tare read from the steel may lie from the one on file; a number on steel is exact."""


class ConditionRules(Frozen):
    """The cylinder as it stands on the scale (充装前检查)."""

    prefill_check: Stated = "if_stated"
    """Whether each scan must state that the list P1 to P17 was gone through (充装前检查记录)."""
    evacuation: Stated = "if_stated"
    """Whether a first fill must state that the cylinder was evacuated or purged (首充抽真空)."""
    residue_max_g: Grams | None = None
    """More residue (残液) than this is drawn off first; absent = it is not measured here."""
    valve_life_months: Count | None = None
    angle_valve_ban_from: Day | None = None
    """From this day on only self-closing valves (自闭阀) are filled."""
    angle_valve_ban_up_to_ml: Millilitres | None = None
    """The ban is about cylinders up to this volume; absent = about all."""
    dual_phase: Literal["refuse", "if_marked"] = "if_marked"
    """Cylinders for both phases (气液双相): all refused, or filled where they are painted as such."""


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
    gas_lot: Stated = "if_stated"
    """Whether each fill must name a released gas lot (气质批次放行)."""


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
    condition: ConditionRules = ConditionRules()
    models: dict[str, ModelRules] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """``id@version``, as decisions quote it."""
        return f"{self.rulebook_id}@{self.version}"


@lru_cache(maxsize=64)
def parse_rulebook(text: str) -> Rulebook:
    """The rulebook in a TOML text; raises RulebookError naming the line or the field."""
    try:
        # by way of JSON, which like TOML has lists and no tuples; a date without quotes is then its text
        return Rulebook.model_validate_json(orjson.dumps(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise RulebookError(f"rulebook is not TOML: {error}") from error
    except ValueError as error:
        raise RulebookError(f"rulebook: {first_fault(error)}") from error
    except TypeError as error:  # a number that JSON cannot say
        raise RulebookError(f"rulebook: {error}") from error
