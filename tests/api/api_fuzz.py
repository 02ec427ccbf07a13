"""Schemathesis over the whole document: a good request of every operation, then drawn ones, each with every check."""

import contextlib
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from api_house import House
from every_read import ENDLESS, TOKEN_OF_READS, reads
from every_write import Write, Writes
from public_labels import LABELLED
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance
from test_machine_tokens import TYPE, assertion

HEADER = "Idempotency-Key"
OAUTH = "issue_token"
_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [hypothesis.Phase.generate],
    "suppress_health_check": list(hypothesis.HealthCheck),
}
# A request may fit its description and still be refused for what is on record: 422 says which code.
_EXPECTED = ["2xx", "401", "403", "404", "408", "409", "412", "413", "415", "422", "429", "503"]
_CHECKS = {"positive_data_acceptance": {"expected-statuses": _EXPECTED}}
# What EPCIS is, is more than a description can say, and GS1 has 400 for it.
_OF_EPCIS = {"include-tag": "epcis", "checks": {"positive_data_acceptance": {"expected-statuses": [*_EXPECTED, "400"]}}}


@dataclass
class Tally:
    """What was answered, operation by operation, and what no check let pass."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return sum(count.total() for count in self.statuses.values())

    @property
    def let_in(self) -> int:
        """Calls past authentication and rate limits."""
        return sum(count.total() - count[401] - count[403] - count[429] for count in self.statuses.values())

    def never_succeeded(self) -> list[str]:
        return [name for name, count in self.statuses.items() if not any(200 <= status < 300 for status in count)]

    def table(self) -> str:
        """One line for each operation: how often each status was answered."""
        lines = (
            f"{name:24} " + "  ".join(f"{status}: {times}" for status, times in sorted(count.items()))
            for name, count in self.statuses.items()
        )
        return "\n".join(lines)


class Fuzz:
    """Drives a house through its document."""

    def __init__(self, house: House, seed: int = 0) -> None:
        document = house.as_(None).get("/openapi.json").json()
        config = SchemathesisConfig.from_dict({"checks": _CHECKS, "operations": [_OF_EPCIS]})
        self.house, self.writes, self.tally = house, Writes(house), Tally()
        self.answers: dict[str, Any] = {}
        """What each operation answered when it first succeeded: an object, or text; bytes are left out."""
        self._schema = schemathesis.openapi.from_dict(document, config=config)
        self._session = requests.Session()
        self._session.trust_env = False
        self._reads = reads(house, self.writes)
        self._seed = seed

    def operations(self) -> Iterator[tuple[str, Any]]:
        """Every operation of the document but the endless one."""
        for found in self._schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            name = operation.definition.raw["operationId"]
            if name != ENDLESS:
                yield name, operation

    def try_good_ones(self) -> None:
        """A request that must succeed, for each operation."""
        for name, operation in self.operations():
            if name in self._reads:
                read = self._reads[name]
                case = operation.Case(path_parameters=read.places, query=read.query)
                self._send(name, case, read.token, {})
            elif name in self.writes.operations:
                self._try_write(name, operation, self.writes.new(name))
            elif name == OAUTH:
                form = {
                    "grant_type": "client_credentials",
                    "client_assertion_type": TYPE,
                    "client_assertion": assertion(),
                }
                case = operation.Case(body=form, media_type="application/x-www-form-urlencoded")
                self._send(name, case, None, {})

    def try_drawn_ones(self, examples: int) -> None:
        """So many requests that fit the document, and so many that do not, for each operation."""
        for name, operation in self.operations():
            for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
                self._draw(name, operation, mode, examples)

    def _draw(self, name: str, operation: Any, mode: schemathesis.GenerationMode, examples: int) -> None:
        token = self._token_of(name)
        drawn = operation.as_strategy(generation_mode=mode)

        @hypothesis.seed(self._seed)
        @hypothesis.settings(max_examples=examples, **_SETTINGS)
        @hypothesis.given(drawn)
        def send(case: Any) -> None:
            fits = mode is schemathesis.GenerationMode.POSITIVE
            headers = {HEADER: _key_for(case.body)} if fits and case.method != "GET" else {}
            self._send(name, case, token, headers)

        with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing can be drawn that does not fit
            send()

    def _token_of(self, name: str) -> str | None:
        return self.writes.token_of(name) if name in self.writes.operations else TOKEN_OF_READS.get(name)

    def _try_write(self, name: str, operation: Any, write: Write) -> None:
        template = operation.path
        places = dict(zip(_names_in(template), _values_in(template, write.path), strict=True))
        facts: dict[str, Any] = {"path_parameters": places}
        if write.file is not None:
            facts |= {"body": {"file": write.file}, "media_type": "multipart/form-data"}
        elif write.body is not None:
            facts |= {"body": write.body, "media_type": "application/json"}
        self._send(name, operation.Case(**facts), write.token, {HEADER: _key_for(write.body)})

    def _send(self, name: str, case: Any, token: str | None, headers: dict[str, str]) -> None:
        sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        answer = case.call(base_url=self.house.url, session=self._session, headers=sent, timeout=30)
        self.tally.statuses[name][answer.status_code] += 1
        if answer.status_code < 300 and name not in self.answers:
            self.answers[name] = _told(answer)
        try:
            # RFC 6749 answers 400 to a wrong assertion, and GS1's resolver standard to a wrong link.
            left_out = [positive_data_acceptance] if name == OAUTH or name in LABELLED else []
            case.validate_response(answer, headers=sent, excluded_checks=left_out, transport_kwargs={"timeout": 30})
        except FailureGroup as group:
            # The token is always shown, also where the drawn request was to have none.
            told = [str(failure) for failure in group.exceptions if "was Authorization" not in str(failure)]
            self.tally.failures += [f"{name} {answer.status_code}: {failure}" for failure in told]


def _told(answer: Any) -> Any:
    media_type = str(answer.headers.get("content-type", [""])[0])
    if "json" in media_type:
        return answer.json()
    return answer.content.decode() if media_type.startswith("text/") else None


def _key_for(body: Any) -> str:
    own = (body.get("id") or body.get("check_id")) if isinstance(body, dict) else None
    return own if isinstance(own, str) else uuid.uuid4().hex


def _names_in(template: str) -> list[str]:
    return [part[1:-1] for part in template.split("/") if part.startswith("{")]


def _values_in(template: str, path: str) -> list[str]:
    pairs = zip(template.split("/"), path.split("/"), strict=True)
    return [value for part, value in pairs if part.startswith("{")]
