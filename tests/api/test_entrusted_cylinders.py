"""What others have entrusted to a station's company (托管) is known to its stations, and decided there as here."""

import pytest
from api_house import Bottle, House, check_body, listening, next_change, now, settle
from test_custody import SECOND, accept, give
from test_inspection_acts import post
from test_station_feeds import ids, replica

from cylinder_trace import events
from cylinder_trace.admission import decide_fill
from cylinder_trace.canonical import canonical_json
from cylinder_trace.decision import FillRequest
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import facts_for
from cylinder_trace.store import reader
from station_agent.replica import open_answer


def entrusted(house: House) -> Bottle:
    """A cylinder of the second company that the station's company may fill."""
    bottle = house.new_bottle(owner="co_2")
    assert accept(house, give(house, bottle, "co_1", SECOND, basis="entrusted"), "company").status_code == 201
    return bottle


def version(house: House) -> int:
    return house.running.ledger.reader.size()


def test_an_entrusted_cylinder_is_in_the_replica_from_the_second_signature_on(house: House) -> None:
    bottle = house.new_bottle(owner="co_2")
    given = give(house, bottle, "co_1", SECOND, basis="entrusted")
    since = version(house)
    assert bottle.cylinder_id not in ids(replica(house))
    assert accept(house, given, "company").status_code == 201
    assert bottle.cylinder_id in ids(replica(house))
    assert ids(replica(house, since)) == [bottle.cylinder_id]


@pytest.mark.parametrize("near", [10_000, 0], ids=["few entries since then", "many entries since then"])
def test_what_happens_to_an_entrusted_cylinder_is_news_and_its_return_takes_it_away(
    near: int, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_NEWS", near)
    bottle, since = entrusted(house), version(house)
    house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
    assert ids(replica(house, since)) == [bottle.cylinder_id]
    since = version(house)
    assert give(house, bottle, "co_2", "company").status_code == 201
    changed = replica(house, since)
    assert (ids(changed), changed["gone"]) == ([], [bottle.cylinder_id])


def test_who_sells_a_cylinder_and_goes_on_filling_it_for_the_buyer_keeps_it_in_the_replica(house: House) -> None:
    bottle, since = house.new_bottle(), version(house)
    moved = events.OwnershipTransferred(from_owner_id="co_1", to_owner_id="co_2", cosigned=True)
    house.append(bottle.subject, moved)
    assert (ids(replica(house, since)), replica(house, since)["gone"]) == ([], [bottle.cylinder_id])
    assert accept(house, give(house, bottle, "co_1", SECOND, basis="entrusted"), "company").status_code == 201
    assert (ids(replica(house, since)), replica(house, since)["gone"]) == ([bottle.cylinder_id], [])


def test_who_buys_what_was_entrusted_to_it_has_it_once_and_of_others_nothing_is_told(house: House) -> None:
    bottle, since = entrusted(house), version(house)
    elsewhere = house.new_bottle(owner="co_2")
    assert give(house, elsewhere, "co_1", SECOND).status_code == 201
    moved = events.OwnershipTransferred(from_owner_id="co_2", to_owner_id="co_1", cosigned=True)
    house.append(bottle.subject, moved)
    assert ids(replica(house, since)) == [bottle.cylinder_id]
    assert ids(replica(house)).count(bottle.cylinder_id) == 1
    assert elsewhere.cylinder_id not in ids(replica(house)), "in its hands, and not its to fill"


def test_whoever_had_what_an_authority_seized_is_told_where_that_gives_it(house: House) -> None:
    bottle = entrusted(house)
    with listening(house.as_("station")) as stream:
        settle(stream, house)
        post(house, "/v1/seizures", bottle, "regulator", document_no="S-1", cause="外观可疑")
        assert next_change(stream)["subjects"] == [bottle.subject]
        since = version(house)
        post(house, "/v1/handovers", bottle, "regulator", to_holder_id="ib_1")
        assert next_change(stream)["subjects"] == [bottle.subject]
    assert replica(house, since)["gone"] == [bottle.cylinder_id]


def test_the_stations_of_whom_it_is_entrusted_to_are_told_of_it_at_once(house: House) -> None:
    bottle = house.new_bottle(owner="co_2")
    with listening(house.as_("station")) as stream:
        settle(stream, house)
        given = give(house, bottle, "co_1", SECOND, basis="entrusted")
        assert next_change(stream)["subjects"] == [bottle.subject]
        assert accept(house, given, "company").status_code == 201
        assert next_change(stream)["subjects"] == [bottle.subject]
        house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
        assert next_change(stream)["subjects"] == [bottle.subject]
        assert give(house, bottle, "co_2", "company").status_code == 201
        assert next_change(stream)["subjects"] == [bottle.subject]


def at_the_station(house: House, bottle: Bottle) -> tuple[str, list[str]]:
    """What the station decides alone, by the replica it is given."""
    said = open_answer(canonical_json(replica(house)), "st_1", house.running.keys.log.verifying_key)
    cylinder = next((each for each in said.cylinders if bottle.code in each.codes), None)
    request = FillRequest(**check_body(bottle, code=bottle.code))
    facts = facts_for(said.station, request, said.as_of, 0, now=now())
    decision = decide_fill(request, cylinder, facts, parse_rulebook(said.rulebook), now())
    return decision.outcome, [reason.code for reason in decision.reasons]


def at_the_service(house: House, bottle: Bottle) -> tuple[str, list[str]]:
    """What the service decides about the same."""
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    return decision["outcome"], [reason["code"] for reason in decision["reasons"]]


@pytest.mark.parametrize("rulebook", ["trusting", "one_house"], ids=["entrusted ones too", "its own only"])
def test_a_station_alone_decides_about_an_entrusted_cylinder_as_the_service_does(
    rulebook: str, request: pytest.FixtureRequest
) -> None:
    here: House = request.getfixturevalue(rulebook)
    sound, flagged, failed = (entrusted(here) for _ in range(3))
    here.append(flagged.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
    result = events.Inspected(body_id="ib_1", inspected_month="2026-01", result="failed", report_no="E-9")
    here.append(failed.subject, result)
    others = set() if rulebook == "trusting" else {"R10"}
    for bottle, found in ((sound, set()), (flagged, {"R32"}), (failed, {"R21"})):
        there, online = at_the_station(here, bottle), at_the_service(here, bottle)
        assert there == online
        assert set(there[1]) == others | found
