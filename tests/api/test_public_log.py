"""The log for everybody who checks it, and whether the service is well."""

import base64
import json
import time
from pathlib import Path

import pytest
from api_house import House, check_body

from cylinder_codes.keys import parse_vkey
from cylinder_trace import cli
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.merkle import leaf_hash, root_hash
from cylinder_trace.tiles import nodes_from_tiles, tile_path


def published(house: House, size: int) -> str:
    """The checkpoint, once it covers so many entries."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = house.as_(None).get("/log/checkpoint")
        if answer.status_code == 200 and int(answer.text.split("\n")[1]) >= size:
            return answer.text
        time.sleep(0.05)
    raise AssertionError("the checkpoint does not come")


def test_anybody_recomputes_the_signed_root_from_the_public_tiles(one_house: House) -> None:
    for _ in range(140):
        one_house.new_bottle()
    note = published(one_house, 280)
    nobody = one_house.as_(None)
    checkpoint = open_checkpoint(note, [parse_vkey(nobody.get("/log/keys").text)])

    def read(level: int, number: int, width: int) -> bytes:
        answer = nobody.get(f"/log/{tile_path(level, number, width)}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        return answer.content

    assert root_hash(checkpoint.size, nodes_from_tiles(checkpoint.size, read)) == checkpoint.root


def test_the_statements_of_a_key_that_was_never_rotated_are_empty(one_house: House) -> None:
    answer = one_house.as_(None).get("/log/rotations")
    assert (answer.status_code, answer.text) == (200, "")


def test_the_checkpoint_is_a_signed_note_that_caches_keep_for_a_moment(one_house: House) -> None:
    published(one_house, 1)
    answer = one_house.as_(None).get("/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    origin, size, root, empty, signature, _ = answer.text.split("\n")
    assert (origin, empty) == ("ledger.example/tests", "")
    assert size.isdecimal()
    assert len(base64.b64decode(root)) == 32
    assert signature.startswith("— ledger.example/tests ")


def test_the_entries_are_for_auditors_only_and_hash_to_the_tiles(one_house: House) -> None:
    one_house.new_bottle()
    size = int(published(one_house, 20).split("\n")[1])
    path = f"/log/tile/entries/000{f'.p/{size}' if size < 256 else ''}"
    assert one_house.as_(None).get(path).status_code == 401
    answer = one_house.as_("auditor").get(path)
    assert "private" in answer.headers["cache-control"]
    tile = one_house.as_(None).get(path.replace("entries", "0")).content
    data, hashes = answer.content, b""
    while data:
        length = int.from_bytes(data[:2], "big")
        hashes += leaf_hash(data[2 : 2 + length])
        data = data[2 + length :]
    assert hashes == tile


def test_a_tile_that_is_not_there_is_a_problem_and_no_path_leads_out_of_the_folder(one_house: House) -> None:
    nobody = one_house.as_(None)
    for place in ("999", "000.p/256", "000.p/0", "..%2f..%2fkeys%2flog.key", "x1/000", "000/checkpoint"):
        answer = nobody.get(f"/log/tile/0/{place}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), place
    assert nobody.get("/log/tile/64/000").status_code == 404
    assert nobody.get("/log/tile/-1/000").status_code == 404
    assert one_house.as_("auditor").get("/log/tile/entries/999").status_code == 404


def test_the_service_says_that_it_lives_and_that_it_is_ready(one_house: House) -> None:
    nobody = one_house.as_(None)
    assert nobody.get("/healthz").json() == {"status": "ok"}
    ready = nobody.get("/readyz").json()
    assert ready["entries"] >= ready["published"] >= 0


def test_an_answer_leaves_at_once_and_does_not_wait_for_the_callers_acknowledgement(one_house: House) -> None:
    nobody, waits = one_house.as_(None), []
    for _ in range(30):
        began = time.perf_counter()
        nobody.get("/healthz")
        waits.append(time.perf_counter() - began)
    assert min(waits) < 0.035  # with Nagle's delay every single one takes 40 ms


def test_whoever_holds_a_receipt_checks_the_promise_without_any_right(
    one_house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bottle = one_house.new_bottle()
    answer = one_house.as_("station").post("/v1/fill-checks", json=check_body(bottle))
    receipt, proof = tmp_path / "answer.json", tmp_path / "fill.tlog-proof"
    receipt.write_text(answer.text)
    published(one_house, answer.json()["receipt"]["index"] + 1)
    vkey = one_house.as_(None).get("/log/keys").text.strip()
    assert cli.main(["verify", str(receipt), "--vkey", vkey]) == 0
    assert cli.main(["proof", one_house.url, str(receipt), "--out", str(proof), "--vkey", vkey]) == 0
    assert "承诺已兑现" in capsys.readouterr().out
    again = one_house.as_("station").post("/v1/fill-checks", json=json.loads(answer.request.content))
    assert again.json()["receipt"] == answer.json()["receipt"]


def test_a_log_that_no_longer_publishes_says_why_and_goes_on_answering(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.new_bottle()
        assert house.running.ledger.publisher.wait_published(house.running.ledger.reader.size(), timeout_s=60)
        for tile in (house.folder / "log" / "tile" / "0").rglob("*"):
            if tile.is_file():
                tile.unlink()
        bottle = house.new_bottle()
        deadline = time.monotonic() + 60
        while (told := house.as_(None).get("/readyz").json())["status"] == "ok":
            assert time.monotonic() < deadline, "nobody says that publishing has halted"
            time.sleep(0.05)
        assert "tile" in told["alarm"]
        assert house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).status_code == 200
        assert not house.running.ledger.publisher.wait_published(10_000, timeout_s=60)
