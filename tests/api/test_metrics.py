"""What Prometheus reads: answers by route and status, the ledger's age, what waits."""

from typing import Any

from api_house import House, check_body, listening, settle
from prometheus_client.parser import text_string_to_metric_families


def scraped(house: House, token: str | None = "token-of-prometheus") -> dict[tuple[str, ...], float]:
    answer = house.as_(None, token).get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_answers_are_counted_by_template_and_status_so_that_no_code_becomes_a_label(one_house: House) -> None:
    bottle, station = one_house.new_bottle(), one_house.as_("station")
    before = scraped(one_house)
    station.post("/v1/fill-checks", json=check_body(bottle))
    station.get(f"/v1/cylinders/{bottle.code}")
    station.get("/nowhere/ZZ")
    after = scraped(one_house)
    name = "pinglian_http_request_seconds_count"
    for labels in (
        ("POST", "/v1/fill-checks", "200"),
        ("GET", "/v1/cylinders/{name:path}", "200"),
        ("GET", "-", "404"),
    ):
        assert after[(name, *labels)] == before.get((name, *labels), 0) + 1, labels
    assert not any(bottle.code in label or "ZZ" in label for labels in after for label in labels)


def test_the_ledgers_age_its_queue_and_its_streams_are_told(one_house: House) -> None:
    one_house.append(one_house.new_bottle().subject, _disputed())
    one_house.running.ledger.publisher.wait_published(one_house.running.ledger.reader.size(), timeout_s=60)
    told = scraped(one_house)
    assert told[("pinglian_ledger_entries",)] == one_house.running.ledger.reader.size()
    assert told[("pinglian_ledger_unpublished_entries",)] == 0
    assert told[("pinglian_ledger_age_seconds",)] == 0
    assert told[("pinglian_ledger_published_at_seconds",)] > 1_700_000_000
    assert told[("pinglian_lists_behind_entries",)] < told[("pinglian_ledger_entries",)]
    assert told[("pinglian_epcis_behind_entries",)] < told[("pinglian_ledger_entries",)]
    assert told[("pinglian_group_commit_waiting",)] >= 0
    assert told[("pinglian_database_reachable",)] == 1
    assert told[("pinglian_publishing_halted",)] == 0
    with listening(one_house.as_("station")) as stream:
        settle(stream, one_house)
        assert scraped(one_house)[("pinglian_streams_open",)] >= 1


def _disputed() -> Any:
    from cylinder_trace.events import DisputeRaised

    return DisputeRaised(about_id="x", kind="test", message="looked odd")


def test_only_whoever_runs_or_audits_the_service_reads_them(one_house: House) -> None:
    for token in ("token-of-prometheus", "token-of-admin", "token-of-auditor"):
        assert one_house.as_(None, token).get("/metrics").status_code == 200
    assert one_house.as_(None).get("/metrics").status_code == 401
    assert one_house.as_("station").get("/metrics").status_code == 403
    assert one_house.as_(None, "token-of-prometheus").get("/v1/fill-checks").status_code == 401
