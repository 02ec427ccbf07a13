"""What GS1 demands of a resolver, line by line, after the list and the checks of GS1's own test suite for resolvers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from api_house import Bottle, House
from resolver_calls import GIAI, GRAI, ask, labelled_bottle, vectors

from cylinder_trace import events

ROWS = vectors("conformance")
LINKSET = "application/linkset+json"
VOC = "https://ref.gs1.org/voc/"
RATIFIED = {
    "certificationInfo", "defaultLink", "epcis", "pip", "recallStatus", "registryEntry", "safetyInfo", "traceability",
    "verificationService",
}  # fmt: skip
"""Of GS1's vocabulary, version 1.16, as far as we use it."""
REGISTERED = {"text/html", "application/json"}


class Resolver(NamedTuple):
    """One under test: a label of each key."""

    url: str
    labels: tuple[str, ...]

    def linksets(self) -> list[dict[str, Any]]:
        return [ask(self.url, label, Accept=LINKSET).json for label in self.labels]

    def links(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Label, type and link of each."""
        return [
            (label, name.removeprefix(VOC), link)
            for label, listed in zip(self.labels, self.linksets(), strict=True)
            for name, links in listed["linkset"][0].items()
            if name.startswith("https://")
            for link in links
        ]


@pytest.fixture(scope="module")
def resolver(one_house: House) -> Resolver:
    bottle: Bottle = labelled_bottle(one_house)
    passed = events.Inspected(
        body_id="ib_1", inspected_month="2026-03", next_due_month="2030-03", result="passed", report_no="R-118"
    )
    one_house.append(bottle.subject, passed)
    return Resolver(
        one_house.url, (f"/8003/{GRAI}", f"/8004/{GIAI}", f"/c/{bottle.code}", "/c/province%3AZJ330100000017")
    )


def qualifiers_are_taken(resolver: Resolver) -> None:
    assert ask(resolver.url, f"/8004/{GIAI}/7040/1ABC").status == 307


def methods_are_offered(resolver: Resolver) -> None:
    for label in resolver.labels:
        assert ask(resolver.url, label, "HEAD").status == 307
        options = ask(resolver.url, label, "OPTIONS")
        assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["Allow"].split(", "))


def cors_is_open(resolver: Resolver) -> None:
    for label in resolver.labels:
        told = ask(resolver.url, label, "HEAD", Origin="https://ref.gs1.org/test-suites/resolver/")
        assert told.headers["Access-Control-Allow-Origin"]
        assert {"GET", "HEAD", "OPTIONS"} <= set(told.headers["Access-Control-Allow-Methods"].split(", "))


def faults_are_400(resolver: Resolver) -> None:
    assert {ask(resolver.url, f"{label}/foo").status for label in resolver.labels} == {400}


def errors_are_no_200(resolver: Resolver) -> None:
    for path in (
        "/8003/09520001123459X",
        "/8004/9520001NOBODY",
        f"{resolver.labels[0]}?linkType=gs1:nosuchlt",
        "/01/1",
    ):
        for accept in ("*/*", "text/html", LINKSET):
            assert ask(resolver.url, path, Accept=accept).status in (400, 404)


def linkset_by_link_type(resolver: Resolver) -> None:
    assert {ask(resolver.url, f"{label}?linkType=linkset").status for label in resolver.labels} == {200}


def linkset_by_all(resolver: Resolver) -> None:
    for label in resolver.labels:
        assert ask(resolver.url, f"{label}?linkType=all").json == ask(resolver.url, f"{label}?linkType=linkset").json


def linkset_by_accept(resolver: Resolver) -> None:
    for label in resolver.labels:
        told = ask(resolver.url, label, Accept=LINKSET)
        assert (told.status, told.headers["Content-Type"]) == (200, LINKSET)


def linkset_validates(resolver: Resolver, conformance_data: Path) -> None:
    schema = json.loads((conformance_data / "linkset" / "gs1-linkset-schema.json").read_text("utf-8"))
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    wrong = json.loads((conformance_data / "linkset" / "invalid-gs1-example.json").read_text("utf-8"))
    assert not validator.is_valid(wrong), "the schema itself finds faults"
    for listed in resolver.linksets():
        assert [error.message for error in validator.iter_errors(listed)] == []


def levels_are_listed(resolver: Resolver) -> None:
    qualified = ask(resolver.url, f"/8004/{GIAI}/7040/1ABC", Accept=LINKSET).json
    assert qualified == ask(resolver.url, f"/8004/{GIAI}", Accept=LINKSET).json


def anchor_is_plain(resolver: Resolver) -> None:
    for label, listed in zip(resolver.labels, resolver.linksets(), strict=True):
        assert listed["linkset"][0]["anchor"] == resolver.url + label


def links_are_whole(resolver: Resolver) -> None:
    for _label, _name, link in resolver.links():
        assert link["href"].startswith(f"{resolver.url}/")
        assert link["title"]


def link_types_are_gs1s(resolver: Resolver) -> None:
    assert {name for _label, name, _link in resolver.links()} <= RATIFIED


def media_types_are_registered(resolver: Resolver) -> None:
    assert {link["type"] for _label, _name, link in resolver.links() if "type" in link} == REGISTERED


def default_is_described(resolver: Resolver) -> None:
    links = resolver.links()
    for label, name, link in links:
        if name == "defaultLink":
            described = [other["href"] for at, kind, other in links if at == label and kind == "pip"]
            assert any(href.partition("?")[0] == link["href"] for href in described)


def default_is_alone(resolver: Resolver) -> None:
    for listed in resolver.linksets():
        (link,) = listed["linkset"][0][f"{VOC}defaultLink"]
        assert set(link) == {"href", "title"}


def default_is_taken(resolver: Resolver) -> None:
    for label, listed in zip(resolver.labels, resolver.linksets(), strict=True):
        told = ask(resolver.url, label)
        assert (told.status, told.headers["Location"]) == (307, listed["linkset"][0][f"{VOC}defaultLink"][0]["href"])


def context_is_linked(resolver: Resolver) -> None:
    for label in resolver.labels:
        link = ask(resolver.url, label, Accept=LINKSET).headers["Link"]
        assert 'rel="http://www.w3.org/ns/json-ld#context"' in link
        assert 'type="application/ld+json"' in link


def every_type_is_taken(resolver: Resolver) -> None:
    """As the suite asks for each link: its type in the query, its form and language in the headers."""
    for label, name, link in resolver.links():
        headers = {"Accept": link["type"]} if "type" in link else {}
        headers |= {"Accept-Language": link["hreflang"][0]} if "hreflang" in link else {}
        told = ask(resolver.url, f"{label}?linkType=gs1:{name}", **headers)
        place, _, fragment = link["href"].partition("#")
        query = f"{'&' if '?' in place else '?'}linkType=gs1:{name}"
        assert told.headers["Location"] == place + query + (f"#{fragment}" if fragment else "")


def absent_type_is_404(resolver: Resolver) -> None:
    assert {ask(resolver.url, f"{label}?linkType=gs1:nosuchlt").status for label in resolver.labels} == {404}


def query_is_passed_on(resolver: Resolver) -> None:
    for label in resolver.labels:
        assert ask(resolver.url, f"{label}?foo=bar&x=1").headers["Location"].endswith("?foo=bar&x=1")


def attributes_distinguish(resolver: Resolver) -> None:
    asked = f"{resolver.labels[0]}?linkType=gs1:pip"
    places = {
        ask(resolver.url, asked, Accept=accept, Accept_Language=language).headers["Location"]
        for accept in ("text/html", "application/json")
        for language in ("zh-CN", "en")
    }
    assert len(places) == 3, "two pages, and one document for programs of every language"


def linkset_is_linked(resolver: Resolver) -> None:
    for label in resolver.labels:
        link = ask(resolver.url, label, "HEAD").headers["Link"]
        assert link.startswith(f'<{resolver.url}{label}?linkType=linkset>; rel="linkset"')
        assert link.count("<") == 1


def answers_vary(resolver: Resolver) -> None:
    for label in resolver.labels:
        for told in (ask(resolver.url, label), ask(resolver.url, label, Accept=LINKSET)):
            assert told.headers["Vary"] == "Accept, Accept-Language"


def description_is_there(resolver: Resolver) -> None:
    told = ask(resolver.url, "/.well-known/gs1resolver")
    assert (told.status, told.headers["Content-Type"]) == (200, "application/json")
    assert told.json["resolverRoot"] == resolver.url
    assert told.json["supportedPrimaryKeys"] == ["8003", "8004"]
    assert told.json["jsonLdContextLocation"].startswith("https://ref.gs1.org/")
    assert told.json["supportedLinkType"] == [{"namespace": VOC, "prefix": "gs1:"}]


def slash_changes_nothing(resolver: Resolver) -> None:
    for label in resolver.labels:
        without, behind = ask(resolver.url, label), ask(resolver.url, f"{label}/")
        assert (without.status, without.headers["Location"]) == (behind.status, behind.headers["Location"])


def links_are_distinct(resolver: Resolver) -> None:
    seen = [(label, name, link.get("type"), str(link.get("hreflang"))) for label, name, link in resolver.links()]
    assert len(seen) == len(set(seen))


CHECKS: dict[str, Callable[..., None]] = {
    check.__name__: check
    for check in (
        qualifiers_are_taken, methods_are_offered, cors_is_open, faults_are_400, errors_are_no_200,
        linkset_by_link_type, linkset_by_all, linkset_by_accept, linkset_validates, levels_are_listed,
        anchor_is_plain, links_are_whole, link_types_are_gs1s, media_types_are_registered, default_is_described,
        default_is_alone, default_is_taken, context_is_linked, every_type_is_taken, absent_type_is_404,
        query_is_passed_on, attributes_distinguish, linkset_is_linked, answers_vary, description_is_there,
        slash_changes_nothing, links_are_distinct,
    )
}  # fmt: skip


@pytest.mark.parametrize("row", [row for row in ROWS if "check" in row], ids=lambda row: row["id"])
def test_the_resolver_does_what_gs1_demands(resolver: Resolver, request: pytest.FixtureRequest, row: Any) -> None:
    check = CHECKS[row["check"]]
    data = [request.getfixturevalue("conformance_data")] if check is linkset_validates else []
    check(resolver, *data)


def test_every_demand_has_a_check_or_says_why_not_and_the_page_about_the_resolver_says_it_too() -> None:
    page = (Path(__file__).parents[2] / "docs" / "resolver.md").read_text("utf-8")
    assert {row["check"] for row in ROWS if "check" in row} == set(CHECKS)
    for row in ROWS:
        assert ("check" in row) != ("not_ours" in row), row["id"]
        assert "check" in row or f"`{row['id']}`" in page, row["id"]
