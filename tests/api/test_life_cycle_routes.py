"""The page about a cylinder's life names the routes by which it is stated, and leaves none of them out."""

import re
from pathlib import Path

from api_house import House

PAGE = (Path(__file__).parents[2] / "docs/life-cycle.md").read_text("utf-8")
NOT_OF_A_LIFE = {
    "fills", "fill-checks", "stations", "devices", "locks",  # at the scale, and what stands there
    "gas-lots", "station-licences", "scale-verifications", "certificates",
    "users", "clients", "sessions", "me", "authority-keys",  # who may state anything at all
    "customers",  # who bought, which is kept beside the ledger
    "webhooks",  # who is told of it
}  # fmt: skip
MORE = {("POST", "/v1/imports/{import_id}/undo"), ("POST", "/v1/imports/bad-rows"), ("GET", "/v1/imports")}
"""Mending a table, and taking its import back, which are about the company's table."""


def test_the_page_names_every_route_by_which_the_life_of_a_cylinder_is_stated(one_house: House) -> None:
    paths = one_house.as_(None).get("/openapi.json").json()["paths"]
    offered = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/v1/") and path.split("/")[2] not in NOT_OF_A_LIFE
    }
    told = set(re.findall(r"`(GET|POST) (/v1/[^`]+)`", PAGE))
    assert told <= offered
    assert {route for route in offered - told if route[0] == "POST"} <= MORE
