"""A hit on the list of dead and black codes changes what is said of an unknown cylinder, and decides nothing."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_codes.keys import SigningKey, encode_base64
from cylinder_trace.canonical import canonical_json
from cylinder_trace.dead_codes import KIND, DeadCodes, digest_of
from cylinder_trace.decision import Decision
from station_agent import words
from station_agent.replica import ReplicaRefused, UnknownSigner, open_dead_codes
from stations.bench import LOG_KEY, Home, bench_for, home_in
from vectors.admission.cases import base_case

TAG = TagKey("tests", bytes(32))
OWN, STRANGE, OTHER = (make_code(bytes([number] * 10), TAG).text for number in range(3))
BASE = base_case()
assert BASE.cylinder is not None
CASE = replace(BASE, cylinder=BASE.cylinder.model_copy(update={"codes": (OWN,)}))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path, CASE.request.station_id)
    yield home
    home.close()


def list_of(*codes: str, version: int = 10, since: int = 0, key: SigningKey = LOG_KEY) -> bytes:
    filled = DeadCodes.for_count(1000)
    digests = [digest_of(code) for code in codes]
    for digest in digests:
        filled.add(digest)
    answer = {"kind": KIND, "version": version, "since": since, "as_of": CASE.now, "count": 1,
              "digests": encode_base64(b"".join(digests)) if since else "", "vkey": ""}  # fmt: skip
    if not since:
        answer["bits"] = encode_base64(bytes(filled))
    return canonical_json({**answer, "signature": encode_base64(key.sign(canonical_json(answer)))})


def take(home: Home, text: bytes) -> None:
    home.replica.take_dead_codes(open_dead_codes(text, LOG_KEY.verifying_key))


def decided(home: Home, code: str) -> Decision:
    bench = bench_for(CASE, home)
    bench.scale.model.place("here", 16_600, 0)
    bench.runner.run(asyncio.wait_for(bench.scan(code), 20))
    return bench.decided().decision


def test_an_unknown_cylinder_is_refused_either_way_and_a_hit_says_to_hold_it(home: Home) -> None:
    take(home, list_of(STRANGE))
    plain, hit = decided(home, OTHER), decided(home, STRANGE)
    assert plain.codes == hit.codes == ("R02",)
    assert words.told(plain.reasons[0]).en == "No cylinder is on file under this code"
    assert "hold it, call the regulator" in words.told(hit.reasons[0]).en
    assert "扣下此瓶" in words.told(hit.reasons[0]).zh


def test_an_own_cylinder_is_judged_by_its_own_record_whatever_the_list_says(home: Home) -> None:
    take(home, list_of(OWN))
    assert decided(home, OWN).codes == ()


def test_the_list_outlives_a_restart_and_grows_by_what_came_since(home: Home, tmp_path: Path) -> None:
    take(home, list_of(STRANGE, version=10))
    take(home, list_of(OTHER, version=12, since=10))
    home.replica.close()
    home.replica = home_in(tmp_path, CASE.request.station_id).replica
    dead = home.replica.dead
    assert dead is not None
    assert (dead.version, dead.codes.may_have(STRANGE), dead.codes.may_have(OTHER)) == (12, True, True)


def test_a_list_that_does_not_fit_or_is_not_the_ledgers_is_not_taken(home: Home) -> None:
    with pytest.raises(ReplicaRefused, match="does not begin"):
        take(home, list_of(STRANGE, version=12, since=10))
    with pytest.raises(UnknownSigner):
        take(home, list_of(STRANGE, key=SigningKey(LOG_KEY.name, bytes(32))))
    with pytest.raises(ReplicaRefused, match="cannot be read"):
        take(home, b"{}")
    assert home.replica.dead is None
