"""A station whose network is back (恢复联网): what it did in eight hours alone goes up in bulk, oldest first."""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

from locust import task
from locust.exception import StopUser

from brief import QueueBrief
from load_stations import Body
from users.caller import Caller, Run


class BackAfterOutage(Caller):
    """One device with its queue."""

    rate = 1_000.0
    """As fast as it is answered, unless a level says otherwise."""
    _queues = itertools.count()

    def on_start(self) -> None:
        """Take the next queue; without one there is nothing to do."""
        number = next(BackAfterOutage._queues)
        if number >= len(Run.brief.queues):
            raise StopUser
        self.queue = Run.brief.queues[number]
        self.uploads = _uploads(self.queue)
        time.sleep(self.queue.after_s)  # Locust has replaced it: only this user waits
        self._due = self._back_at = time.monotonic()

    @task
    def send_the_next(self) -> None:
        """Send the next upload; the last one ends the user, and tells how long the station took for all it had."""
        body = next(self.uploads, None)
        if body is None:
            taken_ms = (time.monotonic() - self._back_at) * 1000
            story = {"request_type": "QUEUE", "name": "whole queue 一站补齐", "response_length": 0}
            self.environment.events.request.fire(**story, response_time=taken_ms, exception=None, context={})
            raise StopUser
        self.hand_over(self.queue.station_id, body, "upload after an outage 补传", self.queue.token)


def _uploads(queue: QueueBrief) -> Iterator[Body]:
    with Path(queue.file).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
