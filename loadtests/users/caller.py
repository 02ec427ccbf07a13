"""What all users of a run share: the brief, the ids, the file of what was told, and how an answer is looked at."""

import itertools
import json
import random
import time
from collections.abc import Iterable
from typing import Any, ClassVar, TextIO

from locust import FastHttpUser, events
from locust.env import Environment

from brief import Brief, read_brief
from load_stations import Body

_FIRST_WITHIN_S = 2.0
_GOOD = range(200, 300)


class Run:
    """One run of the load in this process."""

    brief: ClassVar[Brief]
    told: ClassVar[TextIO]
    numbers: ClassVar[Any] = itertools.count()

    @classmethod
    def new_id(cls, kind: str) -> str:
        """An id that nobody made before; all of a run begin alike."""
        return f"{cls.brief.run_id}-{kind}-{next(cls.numbers)}"

    @classmethod
    def note(cls, id: str, index: int, **more: str) -> None:
        """The service has said that this is recorded, at this place of its log."""
        cls.told.write(json.dumps({"id": id, "index": index, **more}) + "\n")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Environment, **_: Any) -> None:
    """Read the brief and open the file of what will be told."""
    options: Any = environment.parsed_options
    Run.brief = read_brief(options.brief)
    Run.told = options.told.open("w", encoding="utf-8", buffering=1)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def end(environment: Environment, **_: Any) -> None:
    """Close the file of what was told."""
    Run.told.close()


class Caller(FastHttpUser):
    """A user that speaks to one process of the service and notes what it is told."""

    abstract = True
    rate: float = 1.0
    """How often in a second it does its task. What is due is sent when it is due: a slow service is seen to be late."""
    _dealt = itertools.count()

    def __init__(self, environment: Environment) -> None:
        number = next(Caller._dealt)
        urls = Run.brief.base_urls
        self.host = urls[number % len(urls)]
        self.dice = random.Random(number)
        super().__init__(environment)

    def on_start(self) -> None:
        """Begin at a moment of its own: people do not act in step, and in step they would all wait for each other."""
        # Locust has replaced `sleep`: only this user waits.
        time.sleep(self.dice.random() * min(_FIRST_WITHIN_S, 1 / self.rate))
        self._due = time.monotonic()

    def wait_time(self) -> float:
        """Until the next task is due; what was late makes the later ones late too, and never quickens them."""
        now = time.monotonic()
        self._due = max(now, self._due + 1 / self.rate)
        return self._due - now

    def get(self, path: str, name: str, headers: dict[str, str], good: Iterable[int] = _GOOD) -> Any:
        """The answer to a question, None when it is not the one that was hoped for."""
        with self.client.get(path, headers=headers, name=name, catch_response=True) as response:
            if response.status_code not in good:
                response.failure(_story(response))
                return None
            response.success()  # also a refusal may be what was hoped for
            return response

    def act(self, path: str, id: str, body: Body, name: str, token: str) -> Any:
        """Post an act with the id `id` and note its receipts; None when the answer holds none."""
        with self.client.post(path, json=body, headers=_headers(token, id), name=name, catch_response=True) as response:
            answer = response.json() if response.status_code in _GOOD else {}
            receipts = answer.get("receipts") or [answer.get("receipt")]
            if not receipts[0] or not receipts[0]["id"].startswith(id):
                response.failure(f"no receipt: {_story(response)}")
                return None
            for receipt in receipts:
                Run.note(receipt["id"], receipt["index"], hash=receipt["hash"])
            return answer

    def hand_over(self, station_id: str, body: Body, name: str, token: str) -> int:
        """Upload records of a device's chain and note each that is kept; how many were answered for."""
        path, key = f"/v1/stations/{station_id}/entries", f"{body['device_id']}.{body['head']['seq']}"
        with self.client.post(
            path, json=body, headers=_headers(token, key), name=name, catch_response=True
        ) as response:
            answer = response.json() if response.status_code in _GOOD else None
            if answer is None or answer["problem"] is not None:
                why = answer["problem"] if answer else _story(response)
                response.failure(f"upload: {why}")
            for told in answer["answers"] if answer else ():
                if told["status"] != "linked":  # to what the service recorded itself, and told
                    Run.note(told["id"], told["index"], status=told["status"])
            return len(answer["answers"]) if answer else 0


def _story(response: Any) -> str:
    """What came instead of the answer; without any, why not."""
    return f"{response.status_code} {(response.text or '')[:600]}" if response.status_code else repr(response.error)


def _headers(token: str, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
