"""How often one may ask: by account, by address, by attempt; counted together through Redis, and alone without it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_house import House, check_body, stopped_house

from cylinder_api.limits import Limits
from cylinder_api.refusals import Refused
from cylinder_api.settings import Rates, settings_for
from servers.keeper import free_port
from servers.redis import running_redis

RATES = Rates(account=5, address=3, attempts=2)


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[House]:
    with stopped_house(tmp_path, RATES) as house:
        yield house


def spent(ask: Any, most: int) -> Any:
    """Ask as often as one may; the answer that is one too many."""
    for _ in range(most):
        assert ask().status_code != 429
    answer = ask()
    assert answer.status_code == 429
    return answer


def test_an_account_that_asks_too_often_is_told_how_long_to_wait_and_others_go_on(strict: House) -> None:
    size = strict.running.ledger.reader.size()
    answer = spent(lambda: strict.as_("station").post("/v1/fill-checks", json=check_body("no code")), 5)
    assert answer.json()["code"] == "too_many"
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert len(strict.stated_since(size)) == 5
    assert strict.as_("regulator").get("/v1/fill-checks").status_code == 200


def test_public_routes_are_counted_by_address_and_attempts_more_strictly(strict: House) -> None:
    anybody = strict.as_(None)
    body = {"code": "4X7K-9QRT-2MWZ-B8ND", "vkey": "pc+00000000+AQ=="}
    assert spent(lambda: anybody.post("/v1/devices/enrol", json=body), 2).json()["code"] == "too_many"
    assert spent(lambda: anybody.get("/log/keys"), 3).json()["code"] == "too_many"
    assert [anybody.get("/healthz").status_code for _ in range(20)] == [200] * 20


def test_tokens_that_open_nothing_are_counted_by_address(strict: House) -> None:
    guess = strict.as_(None, "guessed")
    assert spent(lambda: guess.get("/v1/fill-checks"), 3).json()["code"] == "too_many"


def test_a_new_minute_begins_anew_and_what_is_switched_off_is_not_counted() -> None:
    now = [60_000]
    limits = Limits(Rates(account=1, address=None), None, lambda: now[0])
    limits.take("account", "a")
    with pytest.raises(Refused) as refused:
        limits.take("account", "a")
    assert refused.value.retry_after_s == 60
    limits.take("account", "b")
    for _ in range(100):
        limits.take("address", "a")
    now[0] = 120_000
    limits.take("account", "a")


def test_a_flood_of_addresses_is_counted_as_one_beyond_what_the_memory_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cylinder_api.limits._MOST_NAMES", 10)
    limits = Limits(Rates(address=2), None, lambda: 60_000)
    for number in range(12):
        limits.take("address", str(number))
    with pytest.raises(Refused):
        limits.take("address", "one more")
    limits.take("address", "0")


def allowed(limits: Limits, name: str) -> bool:
    try:
        limits.take("account", name)
    except Refused:
        return False
    return True


def until_shared(here: Limits, there: Limits, name: str) -> None:
    """One process takes all that an account may; the other one notices."""
    assert all(allowed(there, name) for _ in range(40))
    while allowed(here, name):
        time.sleep(0.05)


def test_processes_count_together_through_redis_and_alone_while_it_is_gone() -> None:
    port = free_port()
    here, there = (Limits(Rates(account=40), f"redis://127.0.0.1:{port}/0", lambda: 60_000) for _ in range(2))
    try:
        with running_redis(port):
            for limits in (here, there):
                limits.start()
            until_shared(here, there, "a")
        assert [all(allowed(limits, "b") for _ in range(40)) for limits in (here, there)] == [True, True]
        with running_redis(port):
            until_shared(here, there, "c")
    finally:
        for limits in (here, there):
            limits.stop()


def test_the_settings_say_how_often_and_off_switches_off(tmp_path: Path) -> None:
    usual = settings_for(tmp_path, environment={}).rates
    assert usual == Rates()
    said = {"RATE_PER_ACCOUNT": "off", "RATE_PER_ADDRESS": "7"}
    assert settings_for(tmp_path, environment=said).rates == Rates(None, 7, usual.attempts)
