"""A rack at the inspection body (整架检验): thirty cylinders passed at once, with the exceptions."""

import itertools
from datetime import UTC, datetime

from locust import task

from load_stations import now_ms
from users.caller import Caller, Run

_RACK = 30
_ITEMS = (
    "residue", "valve_removal", "appearance", "valve_seat", "wall_thickness", "volume", "hydrostatic", "valve",
    "airtightness", "vacuum", "marking",
)  # fmt: skip
_INTERVAL_YEARS = 4


class InspectorRack(Caller):
    """One inspector."""

    rate = 0.05
    _racks = itertools.count()

    @task
    def pass_a_rack(self) -> None:
        """Thirty cylinders that no other rack of this run holds; where none is left, nothing."""
        place = next(InspectorRack._racks) * _RACK
        codes = Run.brief.to_inspect[place : place + _RACK]
        if not codes:
            return
        id, today = Run.new_id("rack"), datetime.now(UTC)
        body = {
            "id": id,
            "occurred_at": now_ms(),
            "inspected_month": f"{today:%Y-%m}",
            "next_due_month": f"{today.year + _INTERVAL_YEARS}-{today:%m}",
            "report_no": f"EXAMPLE-{id}",
            "items": _ITEMS,
            "codes": codes,
        }
        self.act("/v1/inspections/racks", id, body, "rack 整架检验", Run.brief.inspector)
