"""The numbers and dates behind the rules: data, versioned, valid from–to, one readable file per jurisdiction.

`parse_rulebook` reads the TOML text and names each mistake by its place.  Sources that contradict each other are
parameters here, with the source named in the file beside the number.  A parameter that came later has the default that
changes nothing, so that an old rulebook gives the decisions that it gave.  Each number has bounds within which anybody
could mean it: a filling coefficient of 4,200 is a slip of the hand, and no cylinder is filled by it.
"""

import tomllib
from functools import lru_cache
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, Field, model_validator

from cylinder_trace.dates import parse_day
from cylinder_trace.detection.thresholds import DetectionRules
from cylinder_trace.events import first_fault
from cylinder_trace.reasons import REASONS
from cylinder_trace.values import Day, Frozen, Id, Millilitres, Month, Text
from cylinder_trace.vocabulary.holding import FillBasis

Months = Annotated[int, Field(ge=1, le=360)]
Days = Annotated[int, Field(ge=0, le=730)]
Hours = Annotated[int, Field(ge=1, le=720)]
Minutes = Annotated[int, Field(ge=0, le=1_440)]
Seconds = Annotated[int, Field(ge=1, le=7_200)]
Coefficient = Annotated[int, Field(ge=300, le=500)]
"""Grams of gas for each litre of volume; 420 for LPG."""
Tolerance = Annotated[int, Field(ge=0, le=5_000)]
"""Grams."""
ModelGrams = Annotated[int, Field(ge=100, le=500_000)]


class RulebookError(ValueError):
    """The rulebook's text has a mistake; the message names the place."""


Stated = Literal["required", "if_stated"]
"""What absence means: refused as not shown, or let pass because nobody ever looked (存量气瓶)."""


class InspectionRules(Frozen):
    """Periodic inspection (定期检验)."""

    interval_months: Months
    due_precision: Literal["first_day", "last_day"]
    """Which day of the due month is the last legal one."""
    guard_days: Days
    warn_days: Days
    items: Stated = "if_stated"
    """Whether a passed inspection must show each mandatory item (检验项目)."""
    body_licence: Stated = "if_stated"
    """Whether the register must show the body's licence (检验核准)."""
    item_records: Stated = "if_stated"
    """Whether each mandatory item must be recorded by itself, not only named in the result (逐项记录)."""
    valve_kept_months: Months | None = None
    """A valve put in so long before a passed inspection was not replaced at it (未更换瓶阀); absent = not asked."""


class LifeRules(Frozen):
    """Service life (使用年限)."""

    unstated_life_months: Months
    extension_months: Annotated[int, Field(ge=0, le=360)]
    longest_life_months: Months
    """No evaluation extends a stated design life beyond this."""
    evaluation_notice_days: Days = 0
    """How long before the end of a stated design life it is said that an evaluation (安全评定) is due; 0 = never."""


class OwnershipRules(Frozen):
    """Registration and ownership (使用登记、产权)."""

    registration_grace_days: Days
    cooling_days: Days
    basis: tuple[FillBasis, ...] = ("owned",)
    """Whose cylinders a station may fill."""
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

    travel_minutes: Minutes
    """The same code at two stations within this time cannot be one cylinder."""
    stamp_tare_tolerance_g: Tolerance = 0
    """How far the tare read from the steel may lie from the one on file; a number on steel is exact."""


class ConditionRules(Frozen):
    """The cylinder as it stands on the scale (充装前检查)."""

    prefill_check: Stated = "if_stated"
    """Whether each scan must state that the list P1 to P17 was gone through (充装前检查记录)."""
    evacuation: Stated = "if_stated"
    """Whether a first fill must state that the cylinder was evacuated or purged (首充抽真空)."""
    residue_max_g: Tolerance | None = None
    """More residue (残液) than this is drawn off first; absent = it is not measured here."""
    valve_life_months: Months | None = None
    angle_valve_ban_from: Day | None = None
    """From this day on only self-closing valves (自闭阀) are filled."""
    angle_valve_ban_up_to_ml: Millilitres | None = None
    """The ban is about cylinders up to this volume; absent = about all."""
    dual_phase: Literal["refuse", "if_marked"] = "if_marked"
    """Cylinders for both phases (气液双相): all refused, or filled where they are painted as such."""


class FillRules(Frozen):
    """Masses and times of a fill (充装量)."""

    coefficient_g_per_l: Coefficient
    tare_drift_g: Tolerance
    tare_least_percent: Annotated[int, Field(ge=50, le=100)] = 90
    """A tare below this part of its model's is no tare of that model (皮重不清)."""
    permit_start_seconds: Seconds
    longest_fill_seconds: Seconds


class StationRules(Frozen):
    """What a station must have in order (充装站)."""

    data_max_age_hours: Hours
    clock_skew_max_seconds: Seconds
    clock_unchecked_hours: Annotated[int, Field(ge=0, le=24)] = 0
    """After a restart of the machine without a network (停电又断网): for how many hours beyond the last moment at which
    the time was known its own clock is believed; 0 = not before the next contact."""
    gas_lot: Stated = "if_stated"
    """Whether each fill must name a released gas lot (气质批次放行)."""


class WatchRules(Frozen):
    """From when on something at a lane is worth a look (工位监视); an alarm refuses nothing."""

    standing_g: Annotated[int, Field(ge=500, le=50_000)] = 2_000
    """From this weight on something stands on the scale; the lightest cylinder weighs 3.4 kg."""
    rise_g: Tolerance = 300
    """Gas that went in without a permit; well above noise, a second of flow."""
    flow_max_g_s: Annotated[int, Field(ge=10, le=5_000)] = 600
    """No gun fills faster; a weight that changes faster was moved by hand."""
    curve_fall_g: Tolerance = 1_000
    """So much less weight during a fill: another cylinder was put there."""
    shift_g: Tolerance = 200
    """The weight at the start of gas against the one at the scan."""
    zero_g: Tolerance = 100
    """The empty scale against zero."""
    tare_light_g: Tolerance = 300
    """Lighter than its stamped tare, or than ever before; the stricter end of 0.3–0.5 kg."""
    tare_mean_g: Tolerance = 150
    """Ten cylinders one after another that are lighter than their tares, on the average."""
    same_code_hours: Annotated[int, Field(ge=1, le=720)] = 24
    """Filled here within this time and scanned again, empty."""
    overfill_g: Tolerance = 50
    """Above the legal maximum; half of it is what runs in while a valve shuts."""
    unscanned_visits: Annotated[int, Field(ge=1, le=1_000)] = 5
    """So many cylinders on and off the scale without one scan,"""
    unscanned_minutes: Annotated[int, Field(ge=1, le=1_440)] = 30
    """within this time."""
    reweigh: Stated = "if_stated"
    """At the end of a shift: every fill weighed again (逐瓶复验), or asked only where some were."""
    balance_permille: Annotated[int, Field(ge=0, le=1_000)] = 10
    """Gas filled against what the tank lost: ± 1 % (物料平衡),"""
    balance_least_g: Annotated[int, Field(ge=0, le=10_000_000)] = 20_000
    """and never less than a gauge can tell."""


class ModelRules(Frozen):
    """Commercial fill of one cylinder model, and what one weighs empty."""

    water_volume_ml: Millilitres
    nominal_g: ModelGrams
    tolerance_g: Tolerance
    tare_g: ModelGrams | None = None
    """Absent where the sources give none, or contradict each other: then nobody asks."""
    longest_fill_seconds: Seconds | None = None
    """A fill of this model is stopped after so long; absent = as `[fill]` says for all."""


SAFETY_CORE = frozenset(f"R{number}" for number in range(20, 39))
"""R20 to R38 (检验、年限、报废、翻新、黑气瓶…): never tried out in the shadow, always in force."""
CANNOT_TELL = frozenset({"R01", "R02", "R65", "R66", "R67"})
"""Nothing is known of the cylinder, or by the station: without an answer to these there is none to the others."""


def _may_be_tried_out(code: str) -> str:
    if code not in REASONS:
        raise ValueError(f"there is no refusal {code}")
    if code in SAFETY_CORE:
        raise ValueError(f"{code} belongs to the safety core, which is never only tried out")
    if code in CANNOT_TELL:
        raise ValueError(f"{code} says that nothing can be told, and is never only tried out")
    return code


class ShadowRules(Frozen):
    """New rules on trial (试行): what they would refuse is recorded, and nobody is refused for it."""

    rules: tuple[Annotated[str, AfterValidator(_may_be_tried_out)], ...] = ()
    regions: tuple[Text, ...] = ()
    """The stations' regions in which they are on trial, elsewhere they are in force; without any, everywhere."""


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
    shadow: ShadowRules = ShadowRules()
    detection: DetectionRules = DetectionRules()
    watch: WatchRules = WatchRules()
    models: dict[str, ModelRules] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ends_after_its_begin(self) -> "Rulebook":
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"valid_until {self.valid_until} lies before valid_from {self.valid_from}")
        return self

    @property
    def name(self) -> str:
        """``id@version``, as decisions quote it."""
        return f"{self.rulebook_id}@{self.version}"

    def longest_fill_seconds(self, model: str | None) -> int:
        """After how long a fill is stopped, whatever the scale says; `model` is that of the stamp, None if unknown."""
        rules = self.models.get(model or "")
        return (rules and rules.longest_fill_seconds) or self.fill.longest_fill_seconds

    def covers(self, day: int) -> bool:
        """Whether it is in force on a day (ordinal, Beijing)."""
        begun = parse_day(self.valid_from) <= day
        return begun and (self.valid_until is None or day <= parse_day(self.valid_until))


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
