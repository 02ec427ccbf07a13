"""What a station is given to decide alone, and how it learns of changes."""

import base64
import json
from pathlib import Path
from typing import Any

from api_house import House, check_body, listening, new_id, next_change, now, settle, told_of

from cylinder_codes.keys import SigningKey, format_vkey, parse_vkey
from cylinder_trace import events
from cylinder_trace.canonical import canonical_json
from cylinder_trace.events import RulebookPublished, state_event
from cylinder_trace.heartbeat import SignedHeartbeat
from cylinder_trace.locks import LockWords, sign_lock


def replica(house: House, since: int | None = None) -> dict[str, object]:
    query = {} if since is None else {"since": since}
    answer = house.as_("station").get("/v1/stations/st_1/replica", params=query)
    assert answer.status_code == 200, answer.text
    said: dict[str, object] = answer.json()
    return said


def ids(said: dict[str, object]) -> list[str]:
    cylinders = said["cylinders"]
    assert isinstance(cylinders, list)
    return [cylinder["cylinder_id"] for cylinder in cylinders]


def test_the_replica_holds_the_companys_cylinders_the_station_and_the_rulebook_and_is_signed(house: House) -> None:
    own, foreign = house.new_bottle(), house.new_bottle(owner="co_2")
    said = replica(house)
    assert own.cylinder_id in ids(said)
    assert foreign.cylinder_id not in ids(said)
    assert said["rulebook_name"] == "cn-default@2026.1"
    assert said["version"] == house.running.ledger.reader.size()
    signed = {name: value for name, value in said.items() if name != "signature"}
    key = parse_vkey(str(said["vkey"]))
    assert key == house.running.keys.log.verifying_key
    assert key.verify(base64.b64decode(str(said["signature"])), canonical_json(signed))


def test_a_version_published_ahead_is_in_the_replica_before_its_first_day(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        assert "rulebooks_to_come" not in replica(house), "earlier agents read this answer"
        text = str(replica(house)["rulebook"])
        later = text.replace('version = "2026.1"', 'version = "2099.1"').replace('"2026-01-01"', '"2099-01-01"', 1)
        house.append("rulebook/cn-default", RulebookPublished(rulebook_id="cn-default", version="2099.1", text=later))
        said = replica(house)
        assert (said["rulebook"], said["rulebooks_to_come"]) == (text, [later])
        signed = {name: value for name, value in said.items() if name != "signature"}
        assert house.running.keys.log.verifying_key.verify(
            base64.b64decode(str(said["signature"])), canonical_json(signed)
        )


def test_with_since_only_what_changed_is_sent(house: House) -> None:
    bottle = house.new_bottle()
    version = int(str(replica(house)["version"]))
    assert ids(replica(house, version)) == []
    house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
    changed = replica(house, version)
    assert (ids(changed), changed["since"], changed["gone"]) == ([bottle.cylinder_id], version, [])
    assert len(json.dumps(changed)) < len(json.dumps(replica(house))) + 5_000


def test_a_cylinder_that_was_handed_over_is_gone_from_the_replica(house: House) -> None:
    away, back = house.new_bottle(), house.new_bottle()
    version = int(str(replica(house)["version"]))
    for bottle in (away, back):
        moved = events.OwnershipTransferred(from_owner_id="co_1", to_owner_id="co_2", cosigned=True)
        house.append(bottle.subject, moved)
    returned = events.OwnershipTransferred(from_owner_id="co_2", to_owner_id="co_1", cosigned=True)
    house.append(back.subject, returned)
    changed = replica(house, version)
    assert (changed["gone"], ids(changed)) == ([away.cylinder_id], [back.cylinder_id])


def test_a_station_ahead_of_the_log_or_newly_licensed_gets_everything(house: House) -> None:
    bottle = house.new_bottle()
    version = int(str(replica(house)["version"]))
    assert bottle.cylinder_id in ids(replica(house, version + 1_000))
    licensed = events.StationLicensed(company_id="co_1", licence_no="L1", valid_until="2099-12-31", region="R")
    house.append("station/st_1", licensed)
    assert bottle.cylinder_id in ids(replica(house, version))


def lot_came_in(house: House, station_id: str = "st_1") -> str:
    lot_id = new_id("lot")
    received = events.GasLotReceived(
        station_id=station_id, supplier_id="sup_1", product="lpg", mass_g=20_000_000, document_no="D1"
    )
    house.append(f"lot/{lot_id}", received)
    return lot_id


def lots(said: dict[str, object]) -> dict[str, str | None]:
    held = said["lots"]
    assert isinstance(held, list)
    return {lot["lot_id"]: lot.get("standing") for lot in held}


def test_the_stations_gas_lots_are_in_the_replica_and_their_release_is_news(house: House) -> None:
    own, other = lot_came_in(house), lot_came_in(house, "st_2")
    whole = replica(house)
    assert lots(whole)[own] is None
    assert other not in lots(whole)
    with listening(house.as_("station")) as stream:
        settle(stream, house)
        house.append(f"lot/{other}", events.GasLotReleased(released_by="wk_1", report_no="R1"))
        house.append(f"lot/{own}", events.GasLotReleased(released_by="wk_1", report_no="R1"))
        assert next_change(stream)["subjects"] == [f"lot/{own}"]
    assert lots(replica(house, int(str(whole["version"])))) == {own: "released"}


def test_a_fill_from_a_gas_lot_that_is_not_released_here_is_refused(house: House) -> None:
    bottle, own, other = house.new_bottle(), lot_came_in(house), lot_came_in(house, "st_2")

    def reasons(lot_id: str) -> list[str]:
        body = check_body(bottle, lot_id=lot_id)
        answer = house.as_("station").post("/v1/fill-checks", json=body).json()
        return [reason["code"] for reason in answer["decision"]["reasons"]]

    assert reasons(own) == ["R51"]
    house.append(f"lot/{own}", events.GasLotReleased(released_by="wk_1", report_no="R1"))
    house.append(f"lot/{other}", events.GasLotReleased(released_by="wk_1", report_no="R1"))
    assert reasons(own) == []
    assert reasons(other) == ["R51"], "another station's lot is not in this tank"
    house.append(f"lot/{own}", events.GasLotBlocked(blocked_by="au_1", cause="dimethyl ether"))
    assert reasons(own) == ["R51"]


def test_the_stream_tells_the_station_of_its_own_changes_and_of_no_others(house: House) -> None:
    bottle, foreign = house.new_bottle(), house.new_bottle(owner="co_2")
    with listening(house.as_("station")) as stream:
        assert settle(stream, house)["as_of"] <= now()
        house.append(foreign.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
        house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
        change = next_change(stream)
        assert change["subjects"] == [bottle.subject]
        assert change["version"] == int(change["id"]) == house.running.ledger.reader.size()


def test_a_lock_on_a_scale_is_pushed_and_blocks_the_next_check_until_it_is_lifted(house: House) -> None:
    lock: dict[str, Any] = {"id": new_id("lock"), "station_id": "st_1", "scale_id": "sc_1_2", "locked": True,
                            "cause": "seal broken", "occurred_at": now()}  # fmt: skip
    regulator, station = house.as_("regulator"), house.as_("station")
    with listening(station) as stream:
        settle(stream, house)
        assert regulator.post("/v1/locks", json=lock).status_code == 201
        assert next_change(stream)["subjects"] == ["station/st_1"]
    denied = station.post("/v1/fill-checks", json=check_body(house.new_bottle(), scale_id="sc_1_2")).json()
    assert [reason["code"] for reason in denied["decision"]["reasons"]] == ["R63"]
    key = SigningKey("au_1", bytes(range(32)))
    house.append("authority/au_1", events.AuthorityKeyTrusted(vkey=format_vkey(key.verifying_key)))
    lifted = {**lock, "id": new_id("lock"), "locked": False, "occurred_at": lock["occurred_at"] + 1}
    words = LockWords(**lifted, target="scale", authority_id="au_1")
    unlock = words.model_dump(exclude={"authority_id"}, exclude_none=True) | {"note": sign_lock(words, key)}
    assert regulator.post("/v1/locks", json=unlock).status_code == 201
    allowed = station.post("/v1/fill-checks", json=check_body(house.new_bottle(), scale_id="sc_1_2")).json()
    assert allowed["decision"]["outcome"] == "ALLOW"


def test_a_broken_stream_goes_on_where_it_was(house: House) -> None:
    bottle = house.new_bottle()
    with listening(house.as_("station")) as stream:
        version = settle(stream, house)["version"]
    house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
    with listening(house.as_("station"), **{"Last-Event-ID": str(version)}) as stream:
        assert told_of(stream, bottle.subject)["version"] == version + 1


def test_a_cylinder_that_is_handed_over_is_told_to_the_old_owners_station(house: House) -> None:
    bottle = house.new_bottle()
    with listening(house.as_("station")) as stream:
        settle(stream, house)
        moved = events.OwnershipTransferred(from_owner_id="co_1", to_owner_id="co_2", cosigned=True)
        house.append(bottle.subject, moved)
        assert next_change(stream)["subjects"] == [bottle.subject]


def test_a_heartbeat_comes_each_second_with_the_version_read_from_the_database(house: House) -> None:
    with listening(house.as_("station")) as stream:
        settle(stream, house)
        beats = [next(stream) for _ in range(3)]
    assert [beat["event"] for beat in beats] == ["heartbeat"] * 3
    assert beats[0]["as_of"] < beats[1]["as_of"] < beats[2]["as_of"]
    assert beats[2]["version"] == house.running.ledger.reader.size()


def test_a_heartbeat_is_signed_and_says_up_to_where_nothing_of_the_stations_is_missing(house: House) -> None:
    bottle = house.new_bottle()
    began = house.running.ledger.reader.size()
    with listening(house.as_("station"), **{"Last-Event-ID": str(began)}) as stream:
        settle(stream, house)
        house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
        change = next_change(stream)
        house.append("rulebook/another", RulebookPublished(rulebook_id="another", version="1", text="-"))
        said = settle(stream, house)
    beat = SignedHeartbeat.model_validate({name: said[name] for name in SignedHeartbeat.model_fields})
    assert house.running.keys.log.verifying_key.verify(beat.signature_bytes(), beat.text())
    assert (beat.station_id, beat.changed) == ("st_1", change["version"])
    assert beat.since <= began
    assert beat.version == change["version"] + 1
    assert beat.completes(change["version"])
    assert not beat.completes(began), "a change that was left out on the way is noticed"


def test_a_station_cannot_listen_to_another(house: House) -> None:
    for path in ("/v1/stations/st_2/replica", "/v1/stations/st_2/changes"):
        assert house.as_("station").get(path).json()["code"] == "other_station"


def test_a_cylinder_that_left_the_company_is_told_whatever_happened_to_it_since(house: House) -> None:
    resold, flagged = house.new_bottle(), house.new_bottle()
    with listening(house.as_("station")) as stream:
        version = settle(stream, house)["version"]
        for bottle in (resold, flagged):
            moved = events.OwnershipTransferred(from_owner_id="co_1", to_owner_id="co_2", cosigned=True)
            house.append(bottle.subject, moved)
        settle(stream, house)
        moved = events.OwnershipTransferred(from_owner_id="co_2", to_owner_id="co_3", cosigned=True)
        house.append(resold.subject, moved)
        house.append(flagged.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
        settle(stream, house)
    with listening(house.as_("station"), **{"Last-Event-ID": str(version)}) as late:
        told_of(late, resold.subject, flagged.subject)


def test_a_cylinder_resold_at_once_is_told_to_the_first_owners_station(house: House) -> None:
    bottle = house.new_bottle()
    with listening(house.as_("station")) as stream:
        version = settle(stream, house)["version"]
    records = [
        state_event(
            events.OwnershipTransferred(from_owner_id=seller, to_owner_id=buyer, cosigned=True),
            id=new_id("move"), subject=bottle.subject, occurred_at=now(), by="tests",
        )
        for seller, buyer in (("co_1", "co_2"), ("co_2", "co_3"))
    ]  # fmt: skip
    house.running.ledger.append(records)
    with listening(house.as_("station"), **{"Last-Event-ID": str(version)}) as stream:
        assert told_of(stream, bottle.subject)["version"] == version + 2


def test_a_station_that_is_licensed_to_another_company_hears_of_that_companys_cylinders_at_once(house: House) -> None:
    bottle = house.new_bottle(owner="co_3")
    with listening(house.as_(None, "token-of-station-2"), "st_2") as stream:
        settle(stream, house)
        licensed = events.StationLicensed(company_id="co_3", licence_no="L3", valid_until="2099-12-31", region="R")
        house.append("station/st_2", licensed)
        assert next_change(stream)["subjects"] == ["station/st_2"]
        house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
        assert next_change(stream)["subjects"] == [bottle.subject]
    house.append("station/st_2", licensed.model_copy(update={"company_id": "co_2"}))
