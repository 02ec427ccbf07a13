"""What others send in EPCIS is taken as it came, once, as a job that ends in the ledger; what is wrong has a name."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from api_house import House, new_id
from sqlalchemy import select

from cylinder_api.epcis.exceptions import MOST_BYTES, MOST_EVENTS
from cylinder_trace import events
from cylinder_trace.merkle import HashesInMemory, leaf_hash, root_hash
from cylinder_trace.store.epcis.writing import EVENT

CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ex": "https://ns.example.org/"}]
JSON = {"Content-Type": "application/json"}


def event(**more: Any) -> dict[str, Any]:
    """A cylinder of somebody else's was shipped; another one each time."""
    return {
        "type": "ObjectEvent",
        "eventTime": "2026-04-01T10:10:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": "shipping",
        "epcList": [f"https://id.gs1.org/8004/9520001{new_id('X').replace('.', '')}"],
        **more,
    }


def document(*events: Any, **more: Any) -> dict[str, Any]:
    return {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-04-01T10:15:00.000+08:00",
        "epcisBody": {"eventList": list(events)},
        **more,
    }


def bond(kind: str, action: str, parent: str, child: str, step: str = "loading", **more: Any) -> dict[str, Any]:
    """A thing is put into another one, or taken out of it."""
    said = {"type": kind, "action": action, "bizStep": step, "parentID": parent, "childEPCs": [child], **more}
    return {**{name: value for name, value in event().items() if name != "epcList"}, **said}


TRUCK = "https://id.gs1.org/8004/9520001TRUCK-1"
SENSED = {
    "sensorElementList": [
        {"sensorReport": [{"type": "Mass", "value": 31, "component": "https://id.pinglian.example/voc/fullGross"}]}
    ]
}


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    """The job once it has ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        said: dict[str, Any] = client.get(job).json()
        if not said["running"]:
            return said
        time.sleep(0.02)
    raise AssertionError("the job did not end")


def captured(client: httpx.Client, said: Any, **headers: str) -> dict[str, Any]:
    """The ended job of a document that is taken."""
    answer = client.post("/epcis/capture", content=json.dumps(said), headers={**JSON, **headers})
    assert answer.status_code == 202, answer.text
    assert answer.headers["GS1-EPCIS-Version"] == "2.0.0"
    return ended(client, answer.headers["Location"])


def stored(house: House, job: dict[str, Any]) -> list[bytes]:
    """The texts of the events that a job brought."""
    query = select(EVENT.c.text).where(EVENT.c.capture_id == job["captureID"]).order_by(EVENT.c.seq)
    with house.running.ledger.engine.connect() as connection:
        return [bytes(text) for text in connection.scalars(query)]


def entry_of(house: House, job: dict[str, Any]) -> events.EpcisCaptured | None:
    """What the ledger says of a job."""
    found = [entry.event() for entry in house.entries_of(f"capture/{job['captureID']}")]
    assert len(found) <= 1
    assert all(isinstance(one, events.EpcisCaptured) for one in found)
    return found[0] if found else None  # type: ignore[return-value]


def test_a_document_is_taken_event_by_event_as_it_came_and_the_ledger_keeps_the_root(house: House) -> None:
    sent = [event(**{"ex:weight": 14.50, "ex:note": "瓶"}), event(), event()]
    job = captured(house.as_("company"), document(*sent))
    assert (job["success"], job["errors"], job["captureErrorBehaviour"]) == (True, [], "rollback")
    texts = stored(house, job)
    assert [json.loads(text) for text in texts] == sent
    told = entry_of(house, job)
    assert told is not None
    assert (told.org_id, told.count) == ("co_1", 3)
    assert told.root == root_hash(3, HashesInMemory([leaf_hash(text) for text in texts])).hex()


def test_the_text_of_an_event_is_kept_to_the_byte(house: House) -> None:
    text = json.dumps(event()).replace('"OBSERVE"', '  "OBSERVE" \n').replace("{", '{ "ex:n" : 1.50e0 , ', 1)
    said = json.dumps(document("HERE")).replace('"HERE"', text)
    answer = house.as_("company").post("/epcis/capture", content=said, headers=JSON)
    job = ended(house.as_("company"), answer.headers["Location"])
    assert stored(house, job) == [text.encode()]


def test_the_same_event_again_is_stored_once_for_each_organisation(house: House) -> None:
    sent = document(event(), event())
    first = captured(house.as_("company"), sent)
    again = captured(house.as_("company"), sent)
    others = captured(house.as_("inspector"), sent)
    assert [len(stored(house, job)) for job in (first, again, others)] == [2, 0, 2]
    assert entry_of(house, again) is None


def test_with_rollback_one_bad_event_refuses_the_whole_and_nothing_is_kept(house: House) -> None:
    size = house.running.ledger.reader.size()
    jobs = house.as_("company").get("/epcis/capture").json()
    bad = document(event(), event(bizStep="filling"), event(eventTime="yesterday"))
    answer = house.as_("company").post("/epcis/capture", json=bad, headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["type"]) == (400, "epcisException:ValidationException")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [
        "/epcisBody/eventList/1/bizStep",
        "/epcisBody/eventList/2/eventTime",
    ]
    assert house.as_("company").get("/epcis/capture").json() == jobs
    assert house.stated_since(size, "company_1") == []


def test_with_proceed_the_good_events_are_taken_and_the_job_tells_what_was_wrong(house: House) -> None:
    good = [event(), event()]
    job = captured(
        house.as_("company"),
        document(good[0], event(bizStep="filling"), good[1]),
        **{"GS1-Capture-Error-Behaviour": "proceed", "Accept-Language": "en"},
    )
    assert (job["success"], job["captureErrorBehaviour"]) == (False, "proceed")
    assert [json.loads(text) for text in stored(house, job)] == good
    assert [error["type"] for error in job["errors"]] == ["epcisException:ValidationException"]
    told = house.as_("company").get(f"/epcis/capture/{job['captureID']}", headers={"Accept-Language": "zh-CN"}).json()
    assert "自有词" in told["errors"][0]["detail"]


def test_one_event_is_stored_and_in_the_ledger_when_it_is_answered(house: House) -> None:
    said = {"@context": CONTEXT, **event(eventID=f"urn:uuid:{new_id('one')}")}
    client, size = house.as_("company"), house.running.ledger.reader.size()
    answers = [client.post("/epcis/events", content=json.dumps(said), headers=JSON) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    found = client.get(answers[0].headers["Location"])
    assert found.status_code == 200
    assert [one.partition(" ")[0] for one in house.stated_since(size, "company_1")] == ["epcis_captured"]


def test_an_event_without_an_id_is_found_under_its_hash_id(house: House) -> None:
    client = house.as_("company")
    answer = client.post("/epcis/events", json={"@context": CONTEXT, **event()})
    assert "ni%3A%2F%2F%2Fsha-256%3B" in answer.headers["Location"]
    assert client.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize(
    "make",
    [
        lambda code: event(**{"pl:type": "https://id.pinglian.example/voc/filled"}),
        lambda code: event(**{"ex:within": {"https://id.pinglian.example/voc/type": "filled"}}),
        lambda code: event(bizStep="https://id.pinglian.example/voc/filling"),
        lambda code: event(bizStep="pl:filling"),
        lambda code: event(**{"ex:kind": "https://id.pinglian.example/voc/filled"}),
        lambda code: event(**{"ex:kind": ["HTTP://ID.PINGLIAN.EXAMPLE:443/%76oc/filled"]}),
        lambda code: event(certificationInfo=["https://id.pinglian.example/voc/filled"]),
        lambda code: event(**{"ex:within": {"filled": True}}),
        lambda code: event(**SENSED),
        lambda code: event(bizStep="holding", epcList=[f"https://id.pinglian.example/c/{code}"]),
        lambda code: event(bizStep="killing", epcList=[f"https://id.pinglian.example/c/{code}"]),
        lambda code: {**event(action="ADD", epcList=[f"https://id.pinglian.example/c/{code}"]), "bizStep": None},
        lambda code: event(action="DELETE", epcList=[f"HTTPS://ID.PINGLIAN.EXAMPLE/C/{code}"]),
        lambda code: event(
            bizStep="accepting", disposition="active", epcList=[f"https://id.pinglian.example/c/{code}"]
        ),
        lambda code: event(
            bizStep="other",
            persistentDisposition={"unset": ["recalled"]},
            epcList=[f"https://id.pinglian.example/c/{code}"],
        ),
        lambda code: bond("AggregationEvent", "ADD", f"https://id.pinglian.example/c/{code}", TRUCK),
        lambda code: bond("AggregationEvent", "OBSERVE", f"https://id.pinglian.example/c/{code}", TRUCK, "unpacking"),
        lambda code: bond("AssociationEvent", "DELETE", f"https://id.pinglian.example/c/{code}", TRUCK),
        lambda code: {
            **{name: value for name, value in event().items() if name not in ("action", "epcList", "bizStep")},
            "type": "TransformationEvent",
            "inputEPCList": [f"https://id.pinglian.example/c/{code}"],
            "outputEPCList": [TRUCK],
        },
        lambda code: event(bizStep="inspecting", epcList=[f"https://id.pinglian.example/c/{code}"]),
        lambda code: event(bizStep="cbv:BizStep-destroying", epcList=[f"https://id.pinglian.example/c/{code}"]),
    ],
)
def test_what_only_the_ledger_states_cannot_be_captured(
    one_house: House, make: Callable[[str], dict[str, Any]]
) -> None:
    ours = {name: value for name, value in make(one_house.new_bottle().code).items() if value is not None}
    context = [*CONTEXT, {"pl": "https://id.pinglian.example/voc/", "filled": "pl:filled"}]
    client = one_house.as_("company")
    said = document(event(), ours, **{"@context": context})
    for answer in (
        client.post("/epcis/capture", json=said),
        client.post("/epcis/capture", json=said, headers={"GS1-Capture-Error-Behaviour": "proceed"}),
        client.post("/epcis/events", json={"@context": context, **ours}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "epcisException:SecurityException")
        assert answer.json()["code"] == "epcis_ours"


@pytest.mark.parametrize(
    "make",
    [
        lambda link: event(bizStep="receiving", disposition="mismatch_instance", epcList=[link]),
        lambda link: event(bizStep="storing", disposition="sellable_accessible", epcList=[link]),
        lambda link: event(bizStep="collecting", disposition="returned", epcList=[link]),
        lambda link: event(bizStep="repairing", disposition="damaged", epcList=[link]),
        lambda link: {**event(epcList=[link]), "bizStep": None},
        lambda link: bond("AggregationEvent", "ADD", TRUCK, link, "packing", disposition="container_closed"),
        lambda link: bond("AggregationEvent", "DELETE", TRUCK, link, "unloading"),
        lambda link: event(**{"ex:order": "https://id.pinglian.example/order/o-17"}, epcList=[link]),
    ],
)
def test_what_others_do_with_a_cylinder_on_file_is_taken(
    one_house: House, make: Callable[[str], dict[str, Any]]
) -> None:
    made = make(f"https://id.pinglian.example/c/{one_house.new_bottle().code}")
    said = {"@context": CONTEXT, **{name: value for name, value in made.items() if value is not None}}
    assert one_house.as_("delivery").post("/epcis/events", json=said).status_code == 201


def test_an_event_of_the_ledger_cannot_be_declared_wrong_by_another(one_house: House) -> None:
    bottle = one_house.new_bottle()
    assert one_house.running.epcis.complete(30) == one_house.running.ledger.reader.size()
    with one_house.running.ledger.engine.connect() as connection:
        index = one_house.running.ledger.reader.history(bottle.subject)[0].index
        event_id = connection.scalar(select(EVENT.c.event_id).where(EVENT.c.log_index == index))
    declared = event(eventID=event_id, errorDeclaration={"declarationTime": "2026-04-02T08:00:00.000+08:00"})
    answer = one_house.as_("company").post("/epcis/events", json={"@context": CONTEXT, **declared})
    assert (answer.status_code, answer.json()["code"]) == (403, "epcis_ours")


def test_what_happens_to_a_cylinder_elsewhere_anybody_may_tell(one_house: House) -> None:
    shipped = event(epcList=[f"https://id.pinglian.example/c/{one_house.new_bottle().code}"])
    answer = one_house.as_("delivery").post("/epcis/events", json={"@context": CONTEXT, **shipped})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("content", "headers", "status", "exception"),
    [
        ("<epcis/>", {"Content-Type": "application/xml"}, 415, "UnsupportedMediaTypeException"),
        ("{}", {}, 415, "UnsupportedMediaTypeException"),
        ("{", JSON, 400, "ValidationException"),
        ("{}", JSON, 400, "ValidationException"),
        (json.dumps(event()), JSON, 400, "ValidationException"),
        ("{}", {**JSON, "GS1-EPCIS-Version": "1.2"}, 406, "NotAcceptableException"),
        ("{}", {**JSON, "GS1-EPCIS-Min": "2.1"}, 406, "NotAcceptableException"),
        ("{}", {**JSON, "GS1-CBV-Max": "1.2.2"}, 406, "NotAcceptableException"),
        ("{}", {**JSON, "GS1-CBV-Version": "two"}, 406, "NotAcceptableException"),
        (json.dumps(document()), {**JSON, "GS1-Capture-Error-Behaviour": "perhaps"}, 400, "ValidationException"),
        (json.dumps(document(*[{}] * (MOST_EVENTS + 1))), JSON, 413, "CaptureLimitExceededException"),
        (" " * (MOST_BYTES + 1), JSON, 413, "CaptureLimitExceededException"),
    ],
)
def test_a_bad_request_is_refused_by_the_name_that_gs1_gives_it(
    one_house: House, content: str, headers: dict[str, str], status: int, exception: str
) -> None:
    answer = one_house.as_("company").post("/epcis/capture", content=content, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"epcisException:{exception}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert ("GS1-EPCIS-Capture-Limit" in answer.headers) == (status == 413)


def test_whoever_may_not_capture_is_told_so_before_anything_is_read(one_house: House) -> None:
    for role, status in ((None, 401), ("station", 403), ("auditor", 403)):
        answer = one_house.as_(role).post("/epcis/capture", content="{", headers=JSON)
        assert (answer.status_code, answer.json()["type"]) == (status, "epcisException:SecurityException")


@pytest.mark.parametrize("form", ["application/json", "application/ld+json", "application/ld+json; charset=utf-8"])
def test_an_empty_document_is_a_job_that_brings_nothing(one_house: House, form: str) -> None:
    client = one_house.as_("company")
    answer = client.post("/epcis/capture", content=json.dumps(document()), headers={"Content-Type": form})
    job = ended(client, answer.headers["Location"])
    assert (job["success"], entry_of(one_house, job)) == (True, None)


def test_what_capture_takes_is_discovered_without_a_token(one_house: House) -> None:
    answer = one_house.as_(None).options("/epcis/capture")
    assert answer.status_code == 204
    assert answer.headers["GS1-EPCIS-Capture-Limit"] == str(MOST_EVENTS)
    assert answer.headers["GS1-EPCIS-Capture-File-Size-Limit"] == str(MOST_BYTES)
    assert answer.headers["GS1-Capture-Error-Behaviour"] == "all"
    assert {answer.headers[f"GS1-{name}-{end}"] for name in ("EPCIS", "CBV") for end in ("Min", "Max")} == {"2.0.0"}
    assert one_house.as_(None).options("/epcis/capture/cap_1").headers["Allow"] == "GET, OPTIONS"


def test_jobs_are_listed_newest_first_page_by_page_and_each_sees_its_own(house: House) -> None:
    mine = [captured(house.as_("maker"), document(event()))["captureID"] for _ in range(3)]
    page = house.as_("maker").get("/epcis/capture", params={"perPage": 2})
    ahead = page.headers["Link"].partition(">")[0].removeprefix("<")
    assert "GS1-Next-Page-Token-Expires" in page.headers
    rest = house.as_("maker").get(ahead)
    listed = [job["captureID"] for job in page.json() + rest.json()]
    assert listed == mine[::-1]
    assert "Link" not in rest.headers
    assert house.as_("company").get(f"/epcis/capture/{mine[0]}").status_code == 404
    assert house.as_("auditor").get(f"/epcis/capture/{mine[0]}").status_code == 200
    assert house.as_("auditor").get(ahead).status_code == 400


def test_a_capture_passes_the_audit(house: House) -> None:
    captured(house.as_("company"), document(event()))
    assert house.running.ledger.publisher.wait_published(house.running.ledger.reader.size(), timeout_s=60)
    assert house.audit() == []
