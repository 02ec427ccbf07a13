"""Asking for EPCIS events over HTTP: by whom, in which form, page by page, and what is refused."""

import copy
import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from api_house import House, new_id
from epcis_events import CONTEXT, put_event

from cylinder_api.epcis.paging import LASTING_MS
from cylinder_api.settings import settings_for
from cylinder_trace import events
from gs1.schema import example_paths, schema_fault

GRAI, GRAI_URN = "https://id.gs1.org/8003/09520001123450ZJ7", "urn:epc:id:grai:9520001.12345.ZJ7"
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "epcis" / "queries.json").read_text("utf-8"))


def seen(serial: str, **more: Any) -> dict[str, Any]:
    """An event about the GRAI with a serial."""
    return {
        "type": "ObjectEvent",
        "eventID": f"urn:uuid:{new_id('event')}",
        "eventTime": "2026-04-01T08:00:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": "inspecting",
        "epcList": [f"https://id.gs1.org/8003/09520001123450{serial}"],
        **more,
    }


def epc_of(event: dict[str, Any]) -> str:
    return str(event["epcList"][0])


def listed(answer: httpx.Response) -> list[dict[str, Any]]:
    """The events of an answer, without what we put in."""
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    for event in found:
        del event["recordTime"]
    return found


def onward(answer: httpx.Response) -> str | None:
    """Where the next page is."""
    link = answer.headers.get("link")
    if link is None:
        assert "gs1-next-page-token-expires" not in answer.headers
        return None
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    assert answer.headers["gs1-next-page-token-expires"].endswith("Z")
    return str(link[1:].partition(">")[0])


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, GS1's name of the exception, and what is said."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    return answer.status_code, problem["type"].removeprefix("epcisException:"), problem["detail"]


# --- what is answered ----------------------------------------------------------------------------------------


def test_what_was_recorded_is_found_the_moment_after_and_is_valid(house: House, conformance_data: Path) -> None:
    bottle = house.new_bottle()
    house.append(bottle.subject, events.ReportedLost(holder_id="co_1", cause="演示"))
    answer = house.as_("regulator").get(
        "/epcis/events", params={"MATCH_anyEPC": f"https://id.pinglian.example/c/{bottle.code}"}
    )
    assert schema_fault(answer.json(), conformance_data) is None
    assert answer.headers["gs1-epcis-version"] == "2.0.0"
    assert int(answer.headers["pinglian-log-index"]) == house.running.ledger.reader.size() - 1
    assert [event["pl:type"] for event in listed(answer)][-1].endswith("/reported_lost")


def test_an_event_comes_back_as_it_came_but_for_its_record_time(house: House) -> None:
    event = seen("AsIs", **{"ex:net_kg": 14.50, "ex:note": "气瓶\u2028\\", "recordTime": "2001-01-01T00:00:00Z"})
    context = b'["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"ex":"https://ns.example.org/"}]'
    put_event(house, event, org_id="co_1", context=context)
    answer = house.as_("regulator").get("/epcis/events", params={"MATCH_epc": epc_of(event)})
    assert answer.json()["@context"][1] == {"ex": "https://ns.example.org/"}
    assert answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"][0]["recordTime"] > "2026"
    del event["recordTime"]
    assert listed(answer) == [event]


def test_a_record_time_that_somebody_wrote_in_escapes_is_not_taken_for_ours(house: House) -> None:
    sent = {**seen("Escaped"), "@context": json.loads(CONTEXT), "recordTime": "2001-01-01T00:00:00.000Z"}
    text = json.dumps(sent).replace("recordTime", "record\\u0054ime")
    client = house.as_("company")
    answer = client.post("/epcis/events", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert client.get(answer.headers["Location"]).text.count("2001-01-01") == 0


def test_prefixes_that_mean_different_things_do_not_mix(house: House, conformance_data: Path) -> None:
    first, second, third = (seen("Mixed", **{"ex:note": text}) for text in ("one", "two", "three"))
    for event, namespace in (
        (first, "https://one.example/"),
        (second, "https://two.example/"),
        (third, "https://one.example/"),
    ):
        put_event(house, event, org_id="co_1", context=json.dumps([json.loads(CONTEXT)[0], {"ex": namespace}]).encode())
    answer = house.as_("regulator").get("/epcis/events", params={"MATCH_epc": epc_of(first)})
    document = answer.json()
    assert schema_fault(document, conformance_data) is None
    assert document["@context"][1] == {"ex": "https://one.example/"}
    found = listed(answer)
    assert found[1].pop("@context")[1] == {"ex": "https://two.example/"}
    assert found == [first, second, third]


def test_gs1s_examples_come_back_by_query_in_a_valid_document(one_house: House, conformance_data: Path) -> None:
    paths = [path for path in example_paths(conformance_data) if "with-comment" not in path.name]
    for path in paths:
        document = json.loads(path.read_text("utf-8"))
        body = document["epcisBody"]
        for event in body.get("eventList") or body["queryResults"]["resultsBody"]["eventList"]:
            kept = {**copy.deepcopy(event), "eventID": f"urn:uuid:{new_id('example')}"}
            kept.pop("recordTime", None)
            context = document["@context"]
            put_event(
                one_house,
                kept,
                org_id="co_1",
                context=json.dumps(context if isinstance(context, list) else [context]).encode(),
            )
            answer = one_house.as_("regulator").get("/epcis/events", params={"EQ_eventID": kept["eventID"]})
            assert schema_fault(answer.json(), conformance_data) is None, path.name
            assert listed(answer) == [kept], path.name


def test_one_event_is_got_by_its_id_however_it_is_written(house: House) -> None:
    event = seen(
        "ById", eventID="ni:///sha-256;df7bb3c352fef055578554f09f5e2aa41782150ced7bd0b8af24dd3ccb30ba69?ver=CBV2.0"
    )
    put_event(house, event, org_id="co_1")
    client = house.as_("regulator")
    assert listed(client.get(f"/epcis/events/{quote(event['eventID'], safe='')}")) == [event]
    assert refusal(client.get("/epcis/events/urn:uuid:nobody"))[:2] == (404, "NoSuchResourceException")


# --- page by page --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [{}, {"orderBy": "eventTime"}, {"orderBy": "recordTime", "orderDirection": "ASC"}])
def test_pages_hold_each_event_once_whatever_is_recorded_meanwhile(house: House, order: dict[str, str]) -> None:
    serial = new_id("Paged")
    made = [seen(serial, eventTime=f"2026-04-0{1 + number % 3}T08:00:00.000+08:00") for number in range(7)]
    for event in made:
        put_event(house, event, org_id="co_1")
    client = house.as_("regulator")
    found, address = list[dict[str, Any]](), f"/epcis/epcs/{quote(epc_of(made[0]), safe='')}/events"
    answer = client.get(address, params={"perPage": "2", **order})
    while True:
        page = listed(answer)
        assert 1 <= len(page) <= 2
        found += page
        put_event(house, seen(serial), org_id="co_1")
        if (address_of_next := onward(answer)) is None:
            break
        answer = client.get(address_of_next)
    assert sorted(event["eventID"] for event in found) == sorted(event["eventID"] for event in made)


def test_a_limit_of_events_ends_the_pages(house: House) -> None:
    serial = new_id("Limited")
    for _ in range(5):
        put_event(house, seen(serial), org_id="co_1")
    asked = {"MATCH_epc": epc_of(seen(serial)), "orderBy": "eventTime", "eventCountLimit": "3", "perPage": "2"}
    first = house.as_("regulator").get("/epcis/events", params=asked)
    second = house.as_("regulator").get(str(onward(first)))
    assert [len(listed(first)), len(listed(second))] == [2, 1]
    assert onward(second) is None


def test_more_events_than_the_caller_wants_are_refused(house: House) -> None:
    serial = new_id("Many")
    for _ in range(3):
        put_event(house, seen(serial), org_id="co_1")
    client, asked = house.as_("regulator"), {"MATCH_epc": epc_of(seen(serial))}
    assert len(listed(client.get("/epcis/events", params={**asked, "maxEventCount": 3}))) == 3
    refused = client.get("/epcis/events", params={**asked, "maxEventCount": 2})
    assert refusal(refused)[:2] == (413, "QueryTooLargeException")


def test_a_token_is_good_for_its_own_question_and_caller_alone(one_house: House) -> None:
    serial = new_id("Token")
    for _ in range(3):
        put_event(one_house, seen(serial), org_id="co_1")
    asked = {"MATCH_epc": epc_of(seen(serial)), "perPage": "1"}
    client = one_house.as_("regulator")
    link = str(onward(client.get("/epcis/events", params=asked)))
    token = link.partition("nextPageToken=")[2]
    assert len(listed(client.get(link.replace("perPage=1", "perPage=2")))) == 2
    for wrong in (
        client.get("/epcis/events", params={"nextPageToken": token}),
        client.get("/epcis/bizSteps", params={"nextPageToken": token}),
        one_house.as_("company").get(link),
        client.get(link + "x"),
        client.get("/epcis/events", params={**asked, "nextPageToken": ("B" if token[0] == "A" else "A") + token[1:]}),
        client.get("/epcis/events", params={**asked, "nextPageToken": "气"}),
        client.get("/epcis/events", params={**asked, "nextPageToken": ""}),
        client.get("/epcis/events", params={**asked, "nextPageToken": "A" * 15_000}),
    ):
        status, name, said = refusal(wrong)
        assert (status, name) == (400, "QueryParameterException")
        assert said.startswith("nextPageToken")


def test_a_token_tells_nobody_where_it_leads(one_house: House) -> None:
    """The place may be that of somebody else's event that was passed over."""
    put_event(one_house, seen(new_id("Sealed")), org_id="co_1")
    link = str(onward(one_house.as_("company").get("/epcis/epcs", params={"perPage": 1})))
    token = link.partition("nextPageToken=")[2]
    assert b"//" not in urlsafe_b64decode(token + "==")


def test_a_page_of_large_events_has_fewer_of_them_and_leads_on(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        for number in range(12):
            put_event(house, seen("Large", **{"ex:note": f"{number}".ljust(1_000_000)}), org_id="co_1")
        answer = house.as_("company").get("/epcis/events", params={"MATCH_epc": epc_of(seen("Large"))})
        assert len(listed(answer)) == 9
        assert len(listed(house.as_("company").get(str(onward(answer))))) == 3


def test_a_token_ends_after_a_day(tmp_path: Path) -> None:
    at = [1_795_312_800_000]
    with House(tmp_path, clock=lambda: at[0]) as house:
        for _ in range(3):
            put_event(house, seen("Old"), org_id="co_1")
        client = house.as_("regulator")
        link = str(onward(client.get("/epcis/events", params={"MATCH_epc": epc_of(seen("Old")), "perPage": "1"})))
        at[0] += LASTING_MS - 1
        assert client.get(link).status_code == 200
        at[0] += 1
        assert "已过期" in refusal(client.get(link))[2]


# --- who may see it ------------------------------------------------------------------------------------------


def test_a_company_sees_its_own_cylinders_and_what_it_captured(house: House) -> None:
    bottle, serial = house.new_bottle(), new_id("Whose")
    own, foreign = seen(serial), seen(serial)
    put_event(house, own, org_id="co_1")
    put_event(house, foreign, org_id="co_2")
    company, regulator = house.as_("company"), house.as_("regulator")
    asked = {"MATCH_epc": epc_of(own)}
    assert listed(company.get("/epcis/events", params=asked)) == [own]
    assert listed(regulator.get("/epcis/events", params=asked)) == [own, foreign]
    mine = {"MATCH_anyEPC": f"https://id.pinglian.example/c/{bottle.code}"}
    assert (
        len(listed(company.get("/epcis/events", params=mine)))
        == len(listed(regulator.get("/epcis/events", params=mine)))
        > 0
    )
    assert refusal(company.get(f"/epcis/events/{foreign['eventID']}"))[0] == 404
    everything = listed(company.get("/epcis/events", params={"perPage": 1000}))
    assert own in everything
    assert foreign not in everything


def test_what_stands_only_in_others_events_is_not_told(house: House) -> None:
    place = f"https://id.example.org/{new_id('place')}"
    put_event(house, seen("Place", readPoint={"id": place}), org_id="co_2")
    address = f"/epcis/readPoints/{quote(place, safe='')}"
    assert refusal(house.as_("company").get(address))[:2] == (404, "NoSuchResourceException")
    assert house.as_("regulator").get(address).json()["member"] == ["events"]
    assert place not in members(house.as_("company"), "/epcis/readPoints")
    assert place in members(house.as_("regulator"), "/epcis/readPoints")


def members(client: httpx.Client, path: str) -> list[str]:
    """A whole list of values, page by page."""
    found, answer = list[str](), client.get(path, params={"perPage": 4})
    while True:
        page = answer.json()
        assert page["type"] == "Collection"
        assert len(page["member"]) <= 4
        found += page["member"]
        if (link := onward(answer)) is None:
            assert found == sorted(set(found))
            return found
        answer = client.get(link)


def test_the_vocabularies_are_listed_page_by_page(one_house: House) -> None:
    put_event(one_house, seen("Listed", bizStep="https://ns.example.org/filling"), org_id="co_1")
    client = one_house.as_("auditor")
    steps = members(client, "/epcis/bizSteps")
    assert {"inspecting", "shipping", "https://ns.example.org/filling"} <= set(steps)
    assert len(members(client, "/epcis/dispositions")) == 33
    assert members(client, "/epcis/eventTypes")[0] == "AggregationEvent"
    assert epc_of(seen("Listed")) in members(client, "/epcis/epcs")
    assert "events" in client.get("/epcis").json()["member"]


@pytest.mark.parametrize("writing", [GRAI, GRAI_URN, "https://id.pinglian.example/8003/09520001123450ZJ7"])
def test_an_epc_leads_to_its_events_in_every_writing(one_house: House, writing: str) -> None:
    event = seen("ZJ7", eventID="urn:uuid:zj7")
    asked = {"EQ_eventID": "urn:uuid:zj7"}
    if not listed(one_house.as_("auditor").get("/epcis/events", params=asked)):
        put_event(one_house, event, org_id="co_1")
    client, address = one_house.as_("auditor"), f"/epcis/epcs/{quote(writing, safe='')}"
    assert client.get(address).status_code == 200
    assert event in listed(client.get(f"{address}/events"))
    assert listed(client.get(f"{address}/events", params={"EQ_bizStep": "shipping"})) == []


def test_a_value_beside_the_same_parameter_narrows_it(one_house: House) -> None:
    put_event(one_house, seen("Both"), org_id="co_1")
    answer = one_house.as_("auditor").get("/epcis/bizSteps/inspecting/events", params={"EQ_bizStep": "shipping"})
    assert listed(answer) == []


# --- in which form -------------------------------------------------------------------------------------------


def test_identifiers_are_written_as_the_caller_wants(tmp_path: Path) -> None:
    prefixes = settings_for(tmp_path, environment={"COMPANY_PREFIXES": "952000 9520001"}).company_prefixes[1:]
    event = seen("ZJ7", readPoint={"id": "urn:epc:id:sgln:9520001.00001.0"})
    with House(tmp_path) as house:
        house.running.settings = replace(house.running.settings, company_prefixes=prefixes)
        put_event(house, event, org_id="co_1")
        client = house.as_("regulator")

        def as_written(form: str) -> dict[str, Any]:
            return listed(client.get("/epcis/events", headers={"GS1-EPC-Format": form}, params={"MATCH_epc": GRAI}))[0]

        links, urns = as_written("Always_GS1_Digital_Link"), as_written("Always_EPC_URN")
        assert as_written("Never_Translates") == as_written("No_Preference") == event
        assert links["readPoint"]["id"] == "https://id.gs1.org/414/9520001000010"
        assert (urns["epcList"], urns["readPoint"]["id"]) == ([GRAI_URN], "urn:epc:id:sgln:9520001.00001.0")


def test_a_urn_needs_the_length_of_the_company_prefix(one_house: House) -> None:
    put_event(one_house, seen("Unknown"), org_id="co_1")
    refused = one_house.as_("auditor").get(
        "/epcis/events", params={"MATCH_epc": epc_of(seen("Unknown"))}, headers={"GS1-EPC-Format": "Always_EPC_URN"}
    )
    assert refusal(refused)[:2] == (406, "NotAcceptableException")


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/xml"},
        {"GS1-EPC-Format": "Sometimes"},
        {"GS1-EPCIS-Min": "2.1.0"},
        {"GS1-CBV-Max": "1.2"},
        {"GS1-EPCIS-Version": "1.2"},
    ],
)
def test_what_cannot_be_spoken_is_refused(one_house: House, headers: dict[str, str]) -> None:
    for path in ("/epcis/events", "/epcis/epcs", "/epcis/events/urn:x"):
        answer = one_house.as_("auditor").get(path, headers=headers)
        if "urn:x" not in path or "GS1-EPC-Format" not in headers:
            assert refusal(answer)[:2] == (406, "NotAcceptableException"), path


def test_json_ld_is_answered_to_who_asks_for_it(one_house: House) -> None:
    answer = one_house.as_("auditor").get("/epcis/events", headers={"Accept": "application/ld+json"})
    assert answer.headers["content-type"] == "application/ld+json"


@pytest.mark.parametrize(
    "path", ["/epcis", "/epcis/events", "/epcis/epcs", "/epcis/bizSteps/shipping", "/epcis/bizSteps/shipping/events"]
)
def test_head_says_the_same_without_a_body_and_options_what_is_spoken(one_house: House, path: str) -> None:
    client = one_house.as_("auditor")
    got, head, options = client.get(path), client.head(path), one_house.as_(None).options(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert options.status_code == 204
    assert "GET" in options.headers["allow"]
    assert options.headers["gs1-epcis-max"] == "2.0.0"
    assert "Always_EPC_URN" in options.headers["gs1-epc-format"]


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [case for case in VECTORS["refused"] if case["exception"] == "parameter"][:25], ids=lambda case: case["at"]
)
def test_a_wrong_parameter_is_named(one_house: House, case: dict[str, Any]) -> None:
    asked = {
        name: "|".join(map(str, value if isinstance(value, list) else [value])) for name, value in case["ask"].items()
    }
    for language, colon in (("en", ": "), ("zh-CN", "：")):
        answer = one_house.as_("auditor").get("/epcis/events", params=asked, headers={"Accept-Language": language})
        status, name, said = refusal(answer)
        assert (status, name) == (400, "QueryParameterException")
        assert said.startswith(case["at"] + colon)


def test_what_asks_for_too_much_is_told_so(one_house: House) -> None:
    client = one_house.as_("auditor")
    many = "&".join(f"EQ_pl:{number}=1" for number in range(1000))
    assert refusal(client.get(f"/epcis/events?{many}"))[:2] == (413, "QueryTooComplexException")
    long = client.get("/epcis/events", params={"MATCH_epc": "urn:x:" + "9" * 20_000})
    assert refusal(long)[:2] == (414, "URITooLongException")
    assert refusal(client.get("/epcis/nothing"))[:2] == (404, "NoSuchResourceException")
    assert refusal(client.get("/epcis/nothing/x/events"))[:2] == (404, "NoSuchResourceException")


def test_every_answer_says_which_extensions_are_spoken(one_house: House) -> None:
    client, said = one_house.as_("company"), "pl=https://id.pinglian.example/voc/"
    asked = [client.request(verb, path) for verb in ("GET", "OPTIONS") for path in ("/epcis/epcs", "/epcis/queries")]
    event = {"@context": json.loads(CONTEXT), **seen("Spoken")}
    asked.append(client.post("/epcis/events", json=event))
    asked.append(client.post("/epcis/queries", json={"name": new_id("spoken"), "query": {}}))
    assert [answer.headers.get("GS1-Extensions") for answer in asked] == [said] * 6
    assert {answer.headers["GS1-EPCIS-Version"] for answer in asked} == {"2.0.0"}


@pytest.mark.parametrize("path", ["/epcis/things", "/epcis/things/one", "/epcis/things/one/events"])
def test_what_is_not_there_has_no_options(one_house: House, path: str) -> None:
    assert refusal(one_house.as_(None).options(path))[:2] == (404, "NoSuchResourceException")


def test_whoever_may_not_ask_is_told_in_gs1s_words(one_house: House) -> None:
    assert refusal(one_house.as_(None).get("/epcis/events"))[:2] == (401, "SecurityException")
    assert refusal(one_house.as_("filler").get("/epcis/events"))[:2] == (403, "SecurityException")
