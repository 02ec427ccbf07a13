"""The list of dead and black codes in the land, as a station gets it: signed, whole, then what came since."""

import base64
import time
from pathlib import Path
from typing import Any

from api_house import Bottle, House

from cylinder_api.acts.dead_codes import DeadCodesKept
from cylinder_trace import events
from cylinder_trace.canonical import canonical_json
from cylinder_trace.dead_codes import DeadCodes, digest_of


def asked(house: House, since: int = 0) -> dict[str, Any]:
    station, patience = house.as_("station"), time.monotonic() + 30
    while True:
        answer = station.get("/v1/stations/st_1/dead-codes", params={"since": since})
        if answer.status_code == 200:
            break
        # a process that has just begun makes its list beside the requests, and says so
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "5")
        assert time.monotonic() < patience, "the list was never made"
    said: dict[str, Any] = answer.json()
    signed = {name: value for name, value in said.items() if name != "signature"}
    key = house.running.keys.log.verifying_key
    assert key.verify(base64.b64decode(said["signature"]), canonical_json(signed))
    return said


def flag(house: House, bottle: Bottle) -> None:
    house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))


def test_the_list_names_dead_and_black_codes_of_every_company_and_no_sound_ones(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        black, voided, sound = house.new_bottle("co_2"), house.new_bottle("co_3"), house.new_bottle("co_2")
        flag(house, black)
        house.append(voided.subject, events.CodeVoided(code=voided.code, cause="tag lost"))
        codes = DeadCodes(base64.b64decode(asked(house)["bits"]))
        assert codes.may_have(black.code)
        assert codes.may_have(voided.code)
        assert not codes.may_have(sound.code)


def test_a_station_that_has_the_list_gets_what_came_since_and_one_ahead_of_the_log_all_of_it(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        first, second = house.new_bottle("co_2"), house.new_bottle("co_2")
        flag(house, first)
        version = asked(house)["version"]
        nothing = asked(house, version)
        assert (nothing["since"], nothing["digests"], "bits" in nothing) == (version, "", False)
        flag(house, second)
        news = asked(house, version)
        assert base64.b64decode(news["digests"]) == digest_of(second.code)
        assert news["version"] == house.running.ledger.reader.size()
        whole = asked(house, 10**9)
        assert whole["since"] == 0
        assert DeadCodes(base64.b64decode(whole["bits"])).may_have(second.code)


def test_a_list_made_anew_after_a_day_no_longer_names_what_was_cleared(tmp_path: Path) -> None:
    ahead = [0]
    real = House(tmp_path).clock
    with House(tmp_path, clock=lambda: real() + ahead[0]) as house:
        bottle = house.new_bottle("co_2")
        flag(house, bottle)
        assert DeadCodes(base64.b64decode(asked(house)["bits"])).may_have(bottle.code)
        house.append(bottle.subject, events.FlagCleared(flag="black", authority_id="au_1", cause="in order"))
        ahead[0] = 25 * 3_600_000
        patience = time.monotonic() + 30
        while (said := asked(house, house.running.ledger.reader.size()))["count"] > 0:
            assert time.monotonic() < patience, "the list was never made anew"
        assert said["since"] == house.running.ledger.reader.size()
        assert not DeadCodes(base64.b64decode(asked(house)["bits"])).may_have(bottle.code)


def test_nobody_waits_for_the_first_list_and_who_asks_before_is_told_to_ask_again(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        flag(house, bottle := house.new_bottle("co_2"))
        house.running.dead_codes.stop()
        service = house.running
        service.dead_codes = DeadCodesKept(service.ledger.engine, service.ledger.reader, service.clock)
        early = house.as_("station").get("/v1/stations/st_1/dead-codes")
        assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (503, "unavailable", "5")
        service.dead_codes.start()
        assert DeadCodes(base64.b64decode(asked(house)["bits"])).may_have(bottle.code)
