"""People: invited, two factors, sessions in a cookie that another site cannot use, locked out after wrong attempts."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pyotp
import pytest
from api_house import ClockAhead, House, now

from cylinder_api.access import SESSION_COOKIE
from cylinder_trace.store.accounts import read_row, tokens_of
from cylinder_trace.store.tables import LoginRow

PASSWORD = "eight small green cylinders"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
STEP_MS = 30_000


class Clock(ClockAhead):
    """One that knows the numbers of a second factor, and stands still: none of them turns while it is typed."""

    def __init__(self) -> None:
        super().__init__()
        self._began = now()

    def __call__(self) -> int:
        return self._began + self.ahead

    def next_step(self) -> None:
        """To the next number."""
        self.ahead += STEP_MS


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("people"), clock=clock) as running:
        yield running


def app_for(accepted: httpx.Response) -> pyotp.TOTP:
    """The authenticator app that has read the answer's link."""
    app = pyotp.parse_uri(accepted.json()["otpauth_uri"])
    assert isinstance(app, pyotp.TOTP)
    return app


class Person:
    """Somebody with a password and an authenticator app."""

    def __init__(self, house: House, clock: Clock, role: str = "checker", org_id: str = "st_1", **more: str) -> None:
        self.house, self.clock, self.user_id = house, clock, f"user-{uuid.uuid4().hex[:8]}"
        self.asked = {"user_id": self.user_id, "role": role, "org_id": org_id, **more}
        self.code = self.invited().json()["code"]
        accepted = self.accept()
        assert accepted.status_code == 200, accepted.text
        self.totp = app_for(accepted)

    def invited(self, role: str = "admin") -> httpx.Response:
        answer = self.house.as_(role).post("/v1/users", json=self.asked)
        assert answer.status_code == 201, answer.text
        return answer

    def accept(self, password: str = PASSWORD) -> httpx.Response:
        return self.house.as_(None).post("/v1/users/accept", json={"code": self.code, "password": password})

    def number(self, steps: int = 0) -> str:
        """What the app shows now, or so many steps later."""
        self.clock.next_step()
        return self.totp.at(self.clock() // 1000 + steps * STEP_MS // 1000)

    def sign_in(self, password: str = PASSWORD, number: str | None = None, **headers: str) -> httpx.Response:
        body = {"user_id": self.user_id, "password": password, "totp": number or self.number()}
        return self.house.as_(None).post("/v1/sessions", json=body, headers=headers)

    def browser(self) -> httpx.Client:
        """A client with a session of its own, on the service's own pages."""
        answer = self.sign_in()
        assert answer.status_code == 201, answer.text
        return self.with_cookie(answer)

    def with_cookie(self, answer: httpx.Response, **headers: str) -> httpx.Client:
        secret = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        client = self.house.as_(None)
        client.headers.update({"Cookie": f"{SESSION_COOKIE}={secret}", **SAME_SITE, **headers})
        return client


@pytest.fixture
def person(house: House, clock: Clock) -> Person:
    return Person(house, clock)


def is_failed(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json().get("code")) == (401, "sign_in_failed")


def test_an_invited_person_chooses_a_password_and_signs_in_with_two_factors(person: Person) -> None:
    answer = person.sign_in()
    assert answer.status_code == 201, answer.text
    assert answer.json()["role"] == "checker"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-pinglian=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "httponly", "secure", "samesite=strict", "path=/", "max-age=43200",
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    secret = cookie.partition("=")[2].partition(";")[0]
    assert secret not in answer.text
    me = person.with_cookie(answer).get("/v1/me").json()
    assert (me["account_id"], me["org_id"], me["signed_in"]) == (person.user_id, "st_1", True)
    assert "fill:read" in me["scope"].split()


def test_neither_password_nor_second_factor_nor_session_is_kept_in_plain(house: House, person: Person) -> None:
    answer = person.sign_in()
    secret = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    row = read_row(house.running.ledger.engine, LoginRow, person.user_id)
    assert row is not None
    assert str(row.password_hash).startswith("$argon2id$")
    kept = repr(row) + repr(house.running.ledger.transact(lambda unit: tokens_of(unit, person.user_id)))
    for plain in (PASSWORD, person.totp.secret, secret, person.code):
        assert plain not in kept
        assert plain.encode() not in (row.totp_sealed or b"")


def test_a_number_is_taken_once_and_an_old_one_never(person: Person) -> None:
    number = person.number()
    assert person.sign_in(number=number).status_code == 201
    assert is_failed(person.sign_in(number=number))
    assert is_failed(person.sign_in(number=person.number(-5)))
    assert is_failed(person.sign_in(number=person.number(5)))
    assert person.sign_in(number=person.number(-1)).status_code == 201, "a watch may be half a minute late"


def test_a_number_that_is_shown_many_times_at_once_opens_one_session(person: Person) -> None:
    number, answers = person.number(), list[int]()
    threads = [
        threading.Thread(target=lambda: answers.append(person.sign_in(number=number).status_code)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 401, 401, 401]


def test_unknown_user_wrong_password_wrong_number_and_locked_get_the_same_answer(house: House, person: Person) -> None:
    nobody = {"user_id": "nobody-at-all", "password": PASSWORD, "totp": "123456"}
    said = [house.as_(None).post("/v1/sessions", json=nobody)]
    said += [person.sign_in("another long password"), person.sign_in(number="000000")]
    said += [person.sign_in("another long password", "111111") for _ in range(4)]
    said.append(person.sign_in())  # right, but locked
    for answer in said:
        assert is_failed(answer)
        told = answer.json()
        assert {**told, "traceId": ""} == {**said[0].json(), "traceId": ""}
        assert "set-cookie" not in answer.headers
        assert PASSWORD not in answer.text
    house_rows = house.running.ledger.transact(lambda unit: unit.find(LoginRow, "nobody-at-all"))
    assert house_rows is None, "unknown names leave no row behind"


def test_five_wrong_attempts_lock_for_a_minute_then_for_two_and_a_right_one_forgets_them(
    person: Person, clock: Clock
) -> None:
    for _ in range(5):
        assert is_failed(person.sign_in("wrong wrong wrong", "111111"))
    assert is_failed(person.sign_in())
    clock.ahead += 61_000
    assert is_failed(person.sign_in("wrong wrong wrong", "111111"))
    clock.ahead += 61_000
    assert is_failed(person.sign_in()), "the sixth doubles it"
    clock.ahead += 61_000
    assert person.sign_in().status_code == 201
    for _ in range(4):
        assert is_failed(person.sign_in("wrong wrong wrong", "111111"))
    assert person.sign_in().status_code == 201


def test_a_weak_password_is_refused_and_the_code_stays_good(house: House, clock: Clock) -> None:
    someone = Person(house, clock)
    someone.code = someone.invited().json()["code"]
    for weak in ("short", "elevenchars", f"xx {someone.user_id.upper()} xx"):
        answer = someone.accept(weak)
        assert (answer.status_code, answer.json()["code"]) == (422, "password_weak"), weak
        assert weak not in answer.text
    assert someone.accept("a" * 5000).status_code == 422
    assert someone.accept("密码也可以是一句很长的中文话").status_code == 200


def test_an_invitation_answers_alike_until_the_first_sign_in_and_never_to_another_password(
    house: House, clock: Clock
) -> None:
    someone = Person(house, clock)
    assert someone.accept().json() == someone.accept().json()
    other = someone.accept("another long password")
    assert (other.status_code, other.json()["code"]) == (403, "enrolment_code_invalid")
    assert someone.sign_in().status_code == 201
    for answer in (
        someone.accept(),
        house.as_(None).post("/v1/users/accept", json={"code": "x", "password": PASSWORD}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "enrolment_code_invalid")
    clock_before, clock.ahead = clock.ahead, clock.ahead + 4 * 24 * 3_600_000
    late = Person.__new__(Person)
    late.house, late.code = house, someone.code
    assert late.accept().json()["code"] == "enrolment_code_invalid"
    clock.ahead = clock_before + 5 * 24 * 3_600_000


def test_who_is_invited_again_begins_anew_and_every_session_ends(house: House, clock: Clock) -> None:
    someone = Person(house, clock)
    browser = someone.browser()
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first, second = (house.as_("admin").post("/v1/users", json=someone.asked, headers=key) for _ in range(2))
    assert first.content == second.content
    someone.code = first.json()["code"]
    assert browser.get("/v1/me").status_code == 200, "only the new password ends what was"
    old = someone.totp
    accepted = someone.accept("quite another password")
    someone.totp = app_for(accepted)
    assert browser.get("/v1/me").status_code == 401
    assert old.secret != someone.totp.secret
    assert is_failed(someone.sign_in())
    assert someone.sign_in("quite another password").status_code == 201


def test_a_session_writes_from_our_own_pages_only(person: Person) -> None:
    browser = person.browser()
    for site in ("cross-site", "same-site", "none", None):
        headers = {"Sec-Fetch-Site": site} if site else {}
        foreign = person.house.as_(None)
        foreign.headers.update({"Cookie": browser.headers["Cookie"], **headers})
        answer = foreign.request("DELETE", "/v1/sessions/current")
        assert (answer.status_code, answer.json()["code"]) == (403, "other_origin"), site
        assert foreign.get("/v1/me").status_code == 200, "reading changes nothing"
    assert person.sign_in(**{"Sec-Fetch-Site": "cross-site"}).json()["code"] == "other_origin"
    assert browser.delete("/v1/sessions/current").status_code == 200


def test_sessions_are_listed_and_ended_one_by_one_or_all(person: Person, house: House, clock: Clock) -> None:
    first, second, third = person.browser(), person.browser(), person.browser()
    items = third.get("/v1/sessions").json()["items"]
    assert [item["current"] for item in items] == [True, False, False]
    assert third.delete(f"/v1/sessions/{items[1]['session_id']}").status_code == 200
    assert (first.get("/v1/me").status_code, second.get("/v1/me").status_code) == (200, 401)
    other = Person(house, clock).browser()
    assert other.delete(f"/v1/sessions/{items[0]['session_id']}").json()["code"] == "not_found"
    ended = third.delete("/v1/sessions")
    assert ended.json() == {"ended": 2}
    assert "max-age=0" in ended.headers["set-cookie"].lower()
    assert first.get("/v1/me").status_code == third.get("/v1/me").status_code == 401
    assert other.get("/v1/me").status_code == 200


def test_signing_out_ends_this_session_alone(person: Person) -> None:
    here, elsewhere = person.browser(), person.browser()
    assert here.delete("/v1/sessions/current").json() == {"ended": 1}
    assert here.get("/v1/me").status_code == 401
    assert elsewhere.get("/v1/me").status_code == 200


def test_a_new_password_ends_the_other_sessions_and_a_wrong_old_one_counts(person: Person, clock: Clock) -> None:
    here, elsewhere = person.browser(), person.browser()
    change = {"old": PASSWORD, "new": "nine large silver cylinders"}
    wrong = here.post("/v1/me/password", json={**change, "old": "no such password"})
    assert is_failed(wrong)
    weak = here.post("/v1/me/password", json={**change, "new": "short"})
    assert weak.json()["code"] == "password_weak"
    assert here.post("/v1/me/password", json=change).json() == {"ended": 1}
    assert (here.get("/v1/me").status_code, elsewhere.get("/v1/me").status_code) == (200, 401)
    assert is_failed(person.sign_in())
    assert person.sign_in(change["new"]).status_code == 201
    for _ in range(5):
        here.post("/v1/me/password", json={**change, "old": "no such password"})
    assert is_failed(person.sign_in(change["new"])), "guessing through a stolen session locks as well"


def test_a_token_has_no_session_and_no_password(house: House) -> None:
    change = {"old": PASSWORD, "new": "nine large silver cylinders"}
    assert house.as_("company").post("/v1/me/password", json=change).json()["code"] == "session_needed"
    assert house.as_("company").delete("/v1/sessions/current").json()["code"] == "session_needed"
    assert house.as_("company").delete("/v1/sessions").json() == {"ended": 0}
    assert house.as_("company").get("/v1/me").json()["signed_in"] is False


def test_an_unused_session_ends_after_half_an_hour_and_one_in_use_after_twelve_hours(
    house: House, clock: Clock
) -> None:
    someone = Person(house, clock)
    idle, used = someone.browser(), someone.browser()
    for minutes in range(25, 12 * 60, 25):
        clock.ahead += 25 * 60_000
        assert used.get("/v1/me").status_code == 200, minutes
    assert idle.get("/v1/me").status_code == 401
    clock.ahead += 25 * 60_000
    assert used.get("/v1/me").status_code == 401


def test_a_locked_person_is_out_at_once_until_invited_again(house: House, clock: Clock) -> None:
    someone = Person(house, clock)
    browser = someone.browser()
    told = house.as_("manager").delete(f"/v1/users/{someone.user_id}")
    assert told.status_code == 200, told.text
    assert told.json()["revoked_at"]
    assert browser.get("/v1/me").status_code == 401
    assert is_failed(someone.sign_in())
    assert someone.accept().json()["code"] == "enrolment_code_invalid"
    someone.code = someone.invited("manager").json()["code"]
    someone.totp = app_for(someone.accept())
    assert someone.sign_in().status_code == 201


def test_a_manager_lets_in_and_sees_the_own_stations_fillers_and_checkers_alone(house: House, clock: Clock) -> None:
    own, boss = Person(house, clock), Person(house, clock, role="regulator", org_id="au_1", district="3301")
    manager = house.as_("manager")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"role": "admin", "org_id": "st_1"}, "not_allowed"),
        ({"role": "manager", "org_id": "st_1"}, "not_allowed"),
        ({"role": "filler", "org_id": "st_2"}, "other_station"),
    ]
    for change, code in wrong:
        answer = manager.post("/v1/users", json={"user_id": "someone-new", **change})
        assert answer.json()["code"] == code, change
    assert manager.post("/v1/users", json={**boss.asked, "role": "filler", "org_id": "st_1"}).status_code == 422
    assert manager.delete(f"/v1/users/{boss.user_id}").json()["code"] == "user_unknown"
    seen = {item["user_id"] for item in manager.get("/v1/users").json()["items"]}
    assert own.user_id in seen
    assert boss.user_id not in seen
    everybody = {item["user_id"]: item for item in house.as_("admin").get("/v1/users").json()["items"]}
    assert everybody[boss.user_id]["district"] == "3301"
    assert everybody[boss.user_id]["signs_in"] is True
    assert "$argon2" not in str(everybody)


def test_nobody_becomes_a_person_under_the_id_of_a_device_a_system_or_a_token(house: House) -> None:
    for taken in ("dev_1", "admin_1"):
        body = {"user_id": taken, "role": "company", "org_id": "co_1"}
        assert house.as_("admin").post("/v1/users", json=body).json()["code"] == "id_conflict"
    device = {"user_id": "pc", "role": "station", "org_id": "st_1"}
    assert house.as_("admin").post("/v1/users", json=device).status_code == 422
