"""Somebody scans the label in a kitchen (公众扫码): no token, no script, one page."""

from http import HTTPStatus

from locust import task

from users.caller import Caller, Run

_GOOD = (HTTPStatus.OK,)
_NOT_OURS = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
_UNKNOWN = 0.05
"""Scans of codes that nobody gave out."""


class PublicScan(Caller):
    """Anybody with a phone."""

    rate = 0.5

    @task
    def scan(self) -> None:
        """The page behind the code, where the resolver sends a phone."""
        known = self.dice.random() >= _UNKNOWN
        code = self.dice.choice(self.dice.choice(Run.brief.stations).cylinders).code if known else "NOSUCHCODE"
        self.get(f"/c/{code}", "public scan 公众扫码", {"Accept": "text/html"}, _GOOD if known else _NOT_OURS)
