"""What was read is still what is there (ETag, If-None-Match, If-Match)."""

from typing import Any

from api_house import House, now
from test_corrections import correct, on_file

from cylinder_trace.events import Returned


def read(house: House, code: str, tag: str | None = None) -> Any:
    headers = {"If-None-Match": tag} if tag else {}
    return house.as_("regulator").get(f"/v1/cylinders/{code}", headers=headers)


def test_a_cylinder_that_nothing_happened_to_is_not_sent_twice(house: House) -> None:
    bottle = house.new_bottle()
    first = read(house, bottle.code)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = read(house, bottle.code, known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert read(house, bottle.code, '"other"').content == first.content
    assert read(house, bottle.cylinder_id).headers["etag"] == tag


def test_with_every_entry_about_it_the_tag_is_another(house: House) -> None:
    bottle = house.new_bottle()
    tag = read(house, bottle.code).headers["etag"]
    house.append(bottle.subject, Returned(station_id="st_1"))
    changed = read(house, bottle.code, tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_whoever_may_not_see_it_learns_nothing_from_a_tag(house: House) -> None:
    bottle = house.new_bottle()
    tag = read(house, bottle.code).headers["etag"]
    foreign = house.as_(None, "token-of-company-2").get(f"/v1/cylinders/{bottle.code}", headers={"If-None-Match": tag})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "other_owner")


def test_a_correction_of_what_changed_meanwhile_is_refused_and_sent_again_it_is_the_same(house: House) -> None:
    body, bottle = on_file(house)
    stale = read(house, bottle.code).headers["etag"]
    house.append(bottle.subject, Returned(station_id="st_1"))
    size = house.running.ledger.reader.size()
    refused = correct(house, body["id"], "stamp.tare_g", 16_050, if_match=stale)
    assert (refused.status_code, refused.json()["code"]) == (412, "changed_meanwhile")
    assert house.stated_since(size) == []
    act: dict[str, Any] = {"id": f"{body['id']}.corrected", "occurred_at": now()}
    fresh = read(house, bottle.code).headers["etag"]
    first = correct(house, body["id"], "stamp.tare_g", 16_050, if_match=fresh, **act)
    assert first.status_code == 201, first.text
    assert correct(house, body["id"], "stamp.tare_g", 16_050, if_match=fresh, **act).content == first.content
