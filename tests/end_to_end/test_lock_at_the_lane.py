"""A regulator's lock, from his call to the valve: the real service, the real agent, and the scale's own log."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from cylinder_api.acts.enrolment import grant
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.events import Filled
from cylinder_trace.locks import LockWords, sign_lock
from servers.keyed import keyed_client
from stations.pieces import Agent, Place, station_in, wait_until
from stations.service import FILLER, REGULATOR_TOKEN, STATION, RealService, code_of, running_service

pytestmark = pytest.mark.slow
KEY = SigningKey("au_01", bytes(range(32)))
ADMIN_TOKEN = "admin-of-the-tests"
SCALE = "sc_1"


def link(number: int) -> str:
    return f"HTTPS://ID.PINGLIAN.EXAMPLE/C/{code_of(number)}"


def now() -> int:
    return time.time_ns() // 1_000_000


def caller(service: RealService, token: str) -> httpx.Client:
    return keyed_client(service.url, {"Authorization": f"Bearer {token}"})


def put_key_on_file(service: RealService) -> None:
    """The service's administrator knows the regulator's key."""
    service.ledger.transact(lambda unit: grant(unit, ADMIN_TOKEN, "admin_1", "admin", "service"))
    act = {"id": "key.1", "authority_id": "au_01", "vkey": format_vkey(KEY.verifying_key), "occurred_at": now()}
    with caller(service, ADMIN_TOKEN) as admin:
        assert admin.post("/v1/authority-keys", json=act).status_code == 201


def trust_the_regulator(place: Place) -> None:
    """The station got the regulator's key by hand: by it alone a lock ends here."""
    (place.data / "regulators.vkeys").write_text(f"{format_vkey(KEY.verifying_key)}\n", "utf-8")
    text = place.config.read_text("utf-8")
    assert '# regulators = "regulators.vkeys"' in text
    place.config.write_text(text.replace("# regulators = ", "regulators = "), "utf-8")


def say(service: RealService, *, locked: bool) -> None:
    """The regulator locks the scale, or lifts his lock, signed with his key."""
    words: dict[str, Any] = {
        "id": f"lock.{locked}.{now()}", "station_id": STATION, "target": "scale", "scale_id": SCALE, "locked": locked,
        "cause": "铅封破损 seal broken", "occurred_at": now(),
    }  # fmt: skip
    note = sign_lock(LockWords(**words, authority_id="au_01"), KEY)
    with caller(service, REGULATOR_TOKEN) as regulator:
        answer = regulator.post("/v1/locks", json={**words, "note": note})
    assert answer.status_code == 201, answer.text


def hears(agent: Agent, service: RealService, *, locked: bool) -> None:
    """The regulator says so, and the station has heard it."""
    say(service, locked=locked)
    size = service.ledger.reader.size()
    wait_until(lambda: any(line["version"] >= size for line in agent.lines("replica")), "the station has heard it")


def at_work(place: Place) -> Agent:
    agent = place.start()
    agent.type(1, f"PL:W:{FILLER}")
    agent.wait_for("signed_on", lane=1)
    return agent


def test_a_locked_scale_gives_no_gas_a_lock_in_mid_fill_shuts_its_valve_and_unlocked_it_fills_again(
    tmp_path: Path,
) -> None:
    with (
        running_service(tmp_path / "service", cylinders=4) as service,
        station_in(tmp_path / "station", time_factor=12) as place,
    ):
        put_key_on_file(service)
        place.enrol(service.url, service.enrolment_code())
        trust_the_regulator(place)
        agent = at_work(place)

        hears(agent, service, locked=True)
        place.scales.place(1, "locked")
        refused = agent.scan(1, link(1))
        assert (refused["event"], refused["reasons"]) == ("refused", ["R63"])
        assert place.scales.openings("locked") == 0

        hears(agent, service, locked=False)
        place.scales.place(1, "filling")
        agent.scan(1, link(2), "filling")
        wait_until(lambda: place.scales.gross_g(1) > 18_000, "gas flows")
        after = len(agent.said)
        say(service, locked=True)
        stopped = agent.wait_for("filled", lane=1, after=after)
        assert stopped["ended_because"] == "stopped"
        shut = place.scales.lines(1, "valve_shut")[-1]
        assert (shut["label"], shut["cause"]) == ("filling", "command")
        assert not place.scales.valve_is_open(1)

        hears(agent, service, locked=False)
        place.scales.place(1, "free")
        filled = agent.scan(1, link(3))
        assert (filled["event"], filled["ended_because"]) == ("filled", "limit_reached")
        assert place.scales.openings("free") == 1

        def fills(number: int) -> list[Filled]:
            return [event for entry in service.history(number) if isinstance(event := entry.event(), Filled)]

        wait_until(lambda: fills(2) and fills(3), "what was filled is on the ledger")
        assert fills(1) == []
        assert fills(2)[0].net_g < fills(3)[0].net_g
