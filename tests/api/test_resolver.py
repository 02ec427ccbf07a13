"""A code on a label leads to its cylinder in whatever form it is asked for, or is refused by the name of its fault."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_house import Bottle, House, new_id, now, stopped_house
from resolver_calls import GRAI, Told, ask, filled_in, follow, labelled_bottle, vectors

from cylinder_api.resolving.asking import best_of, quality
from cylinder_api.settings import Rates
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_trace import events

GOOD, BAD, CHOICES = vectors("good_links"), vectors("bad_links"), vectors("choices")
LINKSET = "application/linkset+json"
VOC = "https://ref.gs1.org/voc/"


@pytest.fixture(scope="module")
def bottle(one_house: House) -> Bottle:
    return labelled_bottle(one_house)


def facts(told: Told) -> dict[str, Any]:
    """What an answer in JSON says of the cylinder, whichever of its codes was asked for."""
    return {name: value for name, value in told.json.items() if name not in ("code", "as_of")}


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row["name"])
def test_every_form_of_every_code_leads_to_the_one_cylinder(one_house: House, bottle: Bottle, row: Any) -> None:
    sent, means = filled_in(row["sent"], bottle), filled_in(row["means"], bottle)
    told = ask(one_house.url, sent)
    assert (told.status, told.body) == (307, b"")
    assert told.headers["Location"] == f"{one_house.url}/about{means}"
    asked = {"Accept": "application/json"}
    by_its_own = ask(one_house.url, f"/about/c/{bottle.code}", **asked)
    assert facts(ask(one_house.url, f"/about{means}", **asked)) == facts(by_its_own)


def test_behind_a_door_the_link_may_come_as_one_segment(one_house: House, bottle: Bottle) -> None:
    for sent in (f"c%2F{bottle.code}", f"8003%2F{GRAI}", "8004%2F9520001A%252FB", "c%2Fprovince%3AZJ330100000017"):
        assert ask(one_house.url, f"/verify/{sent}").json["data"] == {"verified": True}


@pytest.mark.parametrize("row", BAD, ids=lambda row: row["name"])
def test_what_is_no_link_of_a_cylinder_is_refused_by_the_name_of_its_fault(
    one_house: House, bottle: Bottle, row: Any
) -> None:
    told = ask(one_house.url, filled_in(row["sent"], bottle), Accept_Language="en")
    assert (told.status, told.headers["Content-Type"]) == (400, "application/problem+json")
    assert told.json["code"] == "link_invalid"
    assert told.json["detail"].startswith(f"{row['fault']}: ")
    assert told.json["detail"].endswith(f"(character {row['place']} of the path)")
    assert row["fault"] in ask(one_house.url, filled_in(row["sent"], bottle), Accept_Language="zh").json["detail"]


_TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"
"""The refusal names it; one made up by the service may happen to hold the very digits that were sent."""


@pytest.mark.parametrize("row", BAD, ids=lambda row: row["name"])
def test_what_was_sent_is_never_repeated_in_the_refusal(one_house: House, bottle: Bottle, row: Any) -> None:
    sent = filled_in(row["sent"], bottle)
    value = sent.rstrip("/").rpartition("/")[2]
    for accept in ("text/html", "application/json"):
        told = ask(one_house.url, sent, Accept=accept, traceparent=_TRACE)
        assert told.status == 400
        assert len(value) < 3 or value in ("8004", "7040", "foo") or value not in told.text


@pytest.mark.parametrize("row", CHOICES, ids=lambda row: row["name"])
def test_link_type_form_and_language_choose_the_link(one_house: House, bottle: Bottle, row: Any) -> None:
    headers = {"Accept": row["accept"]} if "accept" in row else {}
    headers |= {"Accept-Language": row["language"]} if "language" in row else {}
    query = f"?{row['query']}" if row["query"] else ""
    told = ask(one_house.url, f"/c/{bottle.code}{query}", **headers)
    assert told.status == 307
    assert told.headers["Location"] == one_house.url + filled_in(row["leads_to"], bottle)
    assert {"Accept", "Accept-Language"} <= {part.strip() for part in told.headers["Vary"].split(",")}
    assert told.headers["Link"].startswith(f'<{one_house.url}/c/{bottle.code}?linkType=linkset>; rel="linkset"')


def test_a_link_type_that_is_not_there_is_404_and_never_the_default(one_house: House, bottle: Bottle) -> None:
    for named in ("gs1:nosuchlt", "gs1:certificationInfo", "https://schema.org/url", "", "pip%0d%0aX:1"):
        told = ask(one_house.url, f"/c/{bottle.code}?linkType={named}")
        assert (told.status, told.json["code"]) == (404, "link_type_absent"), named


def test_inspections_are_linked_once_there_is_one(one_house: House) -> None:
    inspected = one_house.new_bottle()
    path = f"/c/{inspected.code}?linkType=gs1:certificationInfo"
    assert ask(one_house.url, path).status == 404
    passed = events.Inspected(
        body_id="ib_1", inspected_month="2026-03", next_due_month="2030-03", result="passed", report_no="R-118"
    )
    one_house.append(inspected.subject, passed)
    told = follow(one_house.url, path, Accept="application/json")
    (line,) = told.json["lines"]
    assert (line["month"], line["en"], line["report_no"]) == ("2026-03", "inspected, passed", "R-118")


def test_every_link_of_the_linkset_leads_to_an_answer(one_house: House, bottle: Bottle) -> None:
    (about,) = ask(one_house.url, f"/c/{bottle.code}", Accept=LINKSET).json["linkset"]
    assert about["anchor"] == f"{one_house.url}/c/{bottle.code}"
    links = [(name, link) for name, links in about.items() if name.startswith(VOC) for link in links]
    assert len(links) >= 12
    for name, link in links:
        place = urlsplit(link["href"])
        told = ask(one_house.url, place.path + (f"?{place.query}" if place.query else ""))
        if link.get("public") is False:
            assert (told.status, told.json["code"]) == (401, "unauthenticated"), name
            allowed = one_house.as_("regulator").get(f"{place.path}?{place.query}")
            assert allowed.status_code == 200, name
            continue
        assert told.status == 200, name
        assert told.headers["Content-Type"].startswith(link.get("type", "text/html")), name
        if "hreflang" in link:
            assert link["hreflang"] == [told.headers["Content-Language"]], name
        if place.fragment:
            assert f'id="{place.fragment}"' in told.text


def test_a_program_with_a_token_follows_the_link_to_the_events_and_to_the_register(
    one_house: House, bottle: Bottle
) -> None:
    regulator = one_house.as_("regulator")
    for link_type in ("gs1:epcis", "gs1:registryEntry"):
        place = ask(one_house.url, f"/8003/{GRAI}?linkType={link_type}&context=cn").headers["Location"]
        assert regulator.get(place).status_code == 200, link_type
        assert ask(one_house.url, place.removeprefix(one_house.url)).status == 401


def test_whoever_asks_for_all_links_gets_them_in_the_form_he_reads(one_house: House, bottle: Bottle) -> None:
    path, forms = f"/c/{bottle.code}", {}
    for accept in (LINKSET, "application/json", "application/ld+json"):
        told = ask(one_house.url, path, Accept=accept)
        assert (told.status, told.headers["Content-Type"]) == (200, accept)
        assert 'rel="http://www.w3.org/ns/json-ld#context"' in told.headers["Link"]
        forms[accept] = told.json
    assert forms[LINKSET] == forms["application/json"]
    assert forms["application/ld+json"].pop("@context").startswith("https://ref.gs1.org/")
    assert forms["application/ld+json"] == forms[LINKSET]
    for named in ("linkset", "all"):
        told = ask(one_house.url, f"{path}?linkType={named}")
        assert (told.status, told.headers["Content-Type"], told.json) == (200, LINKSET, forms[LINKSET])
        assert ask(one_house.url, f"{path}?linkType={named}", Accept="image/png").json == forms[LINKSET]
    page = ask(one_house.url, f"{path}?linkType=linkset", Accept="text/html,*/*;q=0.8")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.text.count("<li>") == sum(
        len(links) for name, links in forms[LINKSET]["linkset"][0].items() if VOC in name
    )


def test_a_qualifier_and_a_query_do_not_change_whose_links_they_are(one_house: House, bottle: Bottle) -> None:
    plain = ask(one_house.url, f"/8003/{GRAI}?linkType=linkset").json
    assert plain == ask(one_house.url, f"/8003/{GRAI}/?linkType=linkset&17=261231").json
    giai = ask(one_house.url, "/8004/9520001VLV-0098231/7040/1ABC?linkType=linkset").json
    assert giai["linkset"][0]["anchor"] == f"{one_house.url}/8004/9520001VLV-0098231"


def test_a_code_that_nobody_has_is_404_in_every_form(one_house: House) -> None:
    for path in ("/8003/09520001123450NOBODY", "/8004/9520001NOBODY", "/c/province%3ANOBODY"):
        for door in ("", "/about", "/history", "/certificates", "/verify"):
            told = ask(one_house.url, door + path)
            assert (told.status, told.json["code"]) == (404, "cylinder_unknown")
        assert ask(one_house.url, f"{path}?linkType=linkset").status == 404
        page = ask(one_house.url, path, Accept="text/html")
        assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert page.headers["Cache-Control"] == "no-store"


def test_a_registration_that_was_a_mistake_leaves_nothing_behind(one_house: House) -> None:
    mistake = one_house.new_bottle()
    assert ask(one_house.url, f"/c/{mistake.code}").status == 307
    withdrawn = events.RegistrationWithdrawn(cause="columns had shifted", import_id=new_id("im"), company_id="co_1")
    one_house.append(mistake.subject, withdrawn)
    for door in ("", "/about", "/history", "/verify"):
        assert ask(one_house.url, f"{door}/c/{mistake.code}").status == 404


def test_an_old_code_still_leads_to_its_cylinder_and_says_that_it_is_dead(one_house: House) -> None:
    renamed = one_house.new_bottle()
    one_house.append(renamed.subject, events.CodeVoided(code=renamed.code, cause="worn off"))
    assert ask(one_house.url, f"/c/{renamed.code}").status == 307
    told = ask(one_house.url, f"/about/c/{renamed.code}", Accept="application/json").json
    assert (told["verdict"], told["reasons"][0]["code"]) == ("not_to_be_filled", "R05")
    verified = ask(one_house.url, f"/verify/c/{renamed.code}").json
    assert verified["data"] == {"verified": False, "verificationFailureReason": "code_voided"}


def test_head_says_what_get_says_without_its_body(one_house: House, bottle: Bottle) -> None:
    doors = [f"{door}/c/{bottle.code}" for door in ("", "/about", "/history", "/certificates", "/verify")]
    for path in (*doors, f"{doors[0]}?linkType=linkset", "/c/nonsense", "/safety", "/.well-known/gs1resolver"):
        got, head = ask(one_house.url, path), ask(one_house.url, path, "HEAD")
        assert (head.status, head.body) == (got.status, b"")
        left_out = ("date", "traceparent")
        for name in {name.lower() for name in got.headers} - set(left_out):
            assert head.headers[name] == got.headers[name], (path, name)


def test_pages_of_every_site_may_ask(one_house: House, bottle: Bottle) -> None:
    for path in (f"/c/{bottle.code}", f"/about/c/{bottle.code}", f"/verify/c/{bottle.code}", "/8003/nonsense"):
        told = ask(one_house.url, path, Origin="https://elsewhere.example")
        assert told.headers["Access-Control-Allow-Origin"] == "*"
        assert told.headers["Access-Control-Allow-Credentials"] is None
        preflight = ask(one_house.url, path, "OPTIONS", Origin="https://elsewhere.example")
        assert (preflight.status, preflight.body) == (204, b"")
        assert preflight.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert ask(one_house.url, f"/c/{bottle.code}", "POST").status == 405
    assert ask(one_house.url, f"/about/c/{bottle.code}", "DELETE").status == 405


def test_links_begin_with_the_public_address_where_one_is_set_and_never_with_a_host_that_is_none(
    one_house: House, bottle: Bottle, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/c/{bottle.code}"
    assert (
        ask(one_house.url, path, Host="BOTTLES.example").headers["Location"].startswith("http://bottles.example/about/")
    )
    for host in ("evil.example/x?", "a b", "user@evil.example", "-" * 300):
        told = ask(one_house.url, path, Host=host)
        assert told.status == 400 or told.headers["Location"].startswith(f"https://{DEFAULT_HOST}/about/"), host


def test_the_query_cannot_break_out_of_the_header(one_house: House, bottle: Bottle) -> None:
    told = ask(one_house.url, f"/c/{bottle.code}?a=%0d%0aSet-Cookie:%20x=1&b=%E4%B8%AD")
    assert told.headers["Set-Cookie"] is None
    assert told.headers["Location"].endswith("?a=%0d%0aSet-Cookie:%20x=1&b=%E4%B8%AD")


# --- counting through -------------------------------------------------------------------------------------------


@pytest.fixture
def strict_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with stopped_house(tmp_path_factory.mktemp("strict"), Rates(address=1000, attempts=5)) as house:
        yield house


def test_whoever_tries_out_codes_is_stopped_and_learns_nothing_more(strict_house: House) -> None:
    known = strict_house.new_bottle()
    for number in range(5):
        assert ask(strict_house.url, f"/8004/9520001TRY{number}").status == 404
    told = [ask(strict_house.url, path) for path in (f"/c/{known.code}", "/8004/9520001TRY6", f"/about/c/{known.code}")]
    assert [one.status for one in told] == [429] * 3, "a known code and an unknown one are no longer told apart"
    assert all(int(one.headers["Retry-After"]) > 0 for one in told)


def test_numbers_from_before_can_be_guessed_so_each_of_them_is_an_attempt(strict_house: House) -> None:
    old = strict_house.new_bottle()
    strict_house.append(old.subject, events.CodeBound(code="province:ZJ1", scheme="province"))
    statuses = [ask(strict_house.url, "/about/c/province:ZJ1").status for _ in range(6)]
    assert statuses == [200] * 5 + [429]


def test_a_label_that_nobody_can_guess_may_be_scanned_by_a_whole_town(strict_house: House) -> None:
    known = strict_house.new_bottle()
    assert {ask(strict_house.url, f"/c/{known.code}").status for _ in range(50)} == {307}


# --- what clients say they read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "accept", "wanted"),
    [
        ("text/html", "*/*", 1.0), ("text/html", "text/*;q=0.5, */*;q=0.1", 0.5), ("text/html", "image/png", 0.0),
        ("text/html", "text/html;level=1;q=0.4", 0.4), ("text/html", "text/html;q=2", 1.0),
        ("text/html", "text/html;q=much", 0.0), ("application/json", "TEXT/HTML, Application/JSON;Q=0.3", 0.3),
        ("application/json", "", 0.0), ("application/json", ",;q=1,/,", 0.0),
    ],
)  # fmt: skip
def test_how_much_a_form_is_wanted(media_type: str, accept: str, wanted: float) -> None:
    assert quality(media_type, accept) == wanted


def test_of_forms_that_are_wanted_alike_the_first_is_taken() -> None:
    assert best_of(("text/html", "application/json"), "*/*") == "text/html"
    assert best_of(("text/html", "application/json"), "application/json, */*;q=0.9") == "application/json"
    assert best_of(("text/html",), "image/png") is None


def test_what_is_stated_about_a_cylinder_is_told_at_once(one_house: House) -> None:
    told = one_house.new_bottle()
    path = f"/about/c/{told.code}"
    first = ask(one_house.url, path)
    one_house.append(told.subject, events.Condemned(body_id="ib_1", cause="corroded"), at=now())
    second = ask(one_house.url, path, If_None_Match=str(first.headers["ETag"]))
    assert second.status == 200
    assert second.headers["ETag"] != first.headers["ETag"]
    assert "不得充装" in second.text
    assert ask(one_house.url, path, If_None_Match=str(second.headers["ETag"])).status == 304
