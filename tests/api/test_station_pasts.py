"""A permit given alone is judged by what had been stated of the station by then: licence, scale, certificate, locks."""

import itertools
from typing import Any

import pytest
from api_house import LATER, Device, House, new_id, now

from cylinder_api.acts.enrolment import trust_device
from cylinder_api.acts.station_pasts import StationPasts
from cylinder_codes.keys import SigningKey
from cylinder_trace import events
from cylinder_trace.station import StationState, next_station_state
from cylinder_trace.store.unit import Unit

HOUR_MS = 3_600_000


@pytest.fixture
def device(house: House) -> Device:
    """The device of a station of its own, in good order for a year."""
    station_id, name = new_id("st"), new_id("dev")
    device = Device(SigningKey(name, bytes(range(1, 33))), name, station_id)
    house.running.ledger.transact(lambda unit: trust_device(unit, name, station_id, device.key.verifying_key, name))
    stated: list[events.Event] = [
        events.StationLicensed(company_id="co_1", licence_no="L", valid_until=LATER, region="R"),
        events.ScaleVerified(scale_id="sc_1", valid_until=LATER),
        events.WorkerCertified(worker_id="fl_1", valid_until=LATER),
    ]
    for event in stated:
        house.append(f"station/{station_id}", event, at=now() - 9_000 * HOUR_MS)
    return device


def state(house: House, device: Device, event: events.Event, hours_ago: float) -> None:
    """An authority states something of the station; told now, whenever it was."""
    house.append(f"station/{device.station_id}", event, at=round(now() - hours_ago * HOUR_MS))


def told(house: House, device: Device, *hours_ago: float) -> list[list[str]]:
    """What is disputed of permits that the station gave at these hours, each a cylinder of its own."""
    bottles = [house.new_bottle() for _ in hours_ago]
    for bottle, hours in zip(bottles, hours_ago, strict=True):
        moment = round(now() - hours * HOUR_MS)
        device.decide(bottle, scale_id="sc_1", requested_at=moment)
    path = f"/v1/stations/{device.station_id}/entries"
    answer = house.as_(None, device.device_id).post(path, json=device.upload(device.records[-len(bottles) :]))
    assert answer.json()["problem"] is None
    return [refused(house, bottle.subject) for bottle in bottles]


def refused(house: House, subject: str) -> list[str]:
    disputes = [entry.data for entry in house.entries_of(subject) if entry.type == "dispute_raised"]
    assert all(dispute["kind"] == "refused_by_then" for dispute in disputes)
    return [code for dispute in disputes for code in dispute["message"].rpartition(", ")[2].split()]


def lock(locked: bool = True) -> events.Event:
    facts: dict[str, Any] = {"target": "scale", "scale_id": "sc_1", "authority_id": "au_1", "cause": "seal broken"}
    return events.FillingLocked(**facts) if locked else events.FillingUnlocked(**facts, note="-", signed_by="au_1")


def test_a_permit_after_a_lock_that_the_station_did_not_hear_of_is_disputed(house: House, device: Device) -> None:
    state(house, device, lock(), hours_ago=2)
    assert told(house, device, 1) == [["R63"]]


def test_a_permit_from_before_the_lock_stands(house: House, device: Device) -> None:
    state(house, device, lock(), hours_ago=1)
    assert told(house, device, 2) == [[]]


def test_what_counts_is_whether_it_was_locked_then_not_whether_it_is_now(house: House, device: Device) -> None:
    state(house, device, lock(), hours_ago=4)
    state(house, device, lock(locked=False), hours_ago=2)
    state(house, device, lock(locked=False), hours_ago=0.5)
    assert told(house, device, 5, 3, 1) == [[], ["R63"], []]
    assert told(house, device, 1, 3, 5) == [[], ["R63"], []], "in whatever order they are told"


def test_a_lock_that_is_told_late_counts_from_when_it_was_set(house: House, device: Device) -> None:
    assert told(house, device, 3) == [[]]
    state(house, device, lock(), hours_ago=4)
    assert told(house, device, 3) == [["R63"]]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (
            events.StationLicensed(company_id="co_1", licence_no="L", valid_until=LATER, region="R", suspended=True),
            "R60",
        ),
        (events.CompanyLicenceNoted(company_id="co_1", licence_no="L", standing="revoked"), "R60"),
        (events.WorkerCertified(worker_id="fl_1", valid_until="2020-01-01"), "R61"),
        (events.ScaleVerified(scale_id="sc_1", valid_until="2020-01-01"), "R62"),
    ],
)
def test_licence_certificate_and_verification_are_those_of_the_moment(
    house: House, device: Device, event: events.Event, code: str
) -> None:
    state(house, device, event, hours_ago=2)
    assert told(house, device, 3, 1) == [[], [code]]


def test_a_station_as_it_was_is_the_same_in_whatever_order_its_moments_are_asked_for(
    house: House, device: Device
) -> None:
    for hours, locked in ((2, True), (5, False), (1, False), (6, True), (3, False)):
        state(house, device, lock(locked), hours_ago=hours)
    subject, here = f"station/{device.station_id}", now()
    entries, moments = house.entries_of(subject), [round(here - hours * HOUR_MS) for hours in (7, 5.5, 2.5, 1.5, 0)]

    def as_it_was(moment: int) -> StationState:
        state = StationState(station_id=device.station_id, n=0)
        for entry in entries:
            if entry.at <= moment:
                state = next_station_state(state, entry, entry.event())
        return state.model_copy(update={"n": 0})

    def ask(unit: Unit) -> None:
        state = unit.station(device.station_id)
        assert state is not None
        for order in itertools.permutations(moments):
            pasts = StationPasts(unit)
            assert [pasts.as_of(state, moment).model_copy(update={"n": 0}) for moment in order] == [
                as_it_was(moment) for moment in order
            ]

    house.running.ledger.transact(ask)
    assert house.audit() == []
