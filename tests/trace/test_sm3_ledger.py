"""A ledger hashed with SM3, from the first entry to the bundle an inspector checks: the same sentences."""

from pathlib import Path

import pytest
from sqlalchemy import select
from test_hash_suites import plain_root, plain_sm3

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace import cli
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.proof import BundleError, verify_bundle
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import MetaRow
from cylinder_trace.suite import SM3
from ledgers.homes import Clock, bound, registered

KEY = SigningKey("ledger.example/cylinders/sm3", bytes(range(32)))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


def opened(url: str, folder: Path, key: SigningKey = KEY) -> Ledger:
    return Ledger(url, folder, key, Clock())


def test_entries_chain_and_root_are_made_with_sm3_alone(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as ledger:
        ledger.append([registered(1), registered(2), bound(1)])
        ledger.append([bound(2), registered(3)])
    with opened(url, tmp_path) as ledger:
        rows = ledger.reader.entries()
        newest = ledger.reader.checkpoint()
        with ledger.engine.connect() as connection:
            meta = {row.key: row.value for row in connection.execute(select(MetaRow.__table__))}  # type: ignore[attr-defined]
    assert [row.hash for row in rows] == [plain_sm3(b"\0" + row.text) for row in rows]
    assert f'"prev":"{rows[0].hash.hex()}"'.encode() in rows[2].text
    assert newest is not None
    root = plain_root([row.text for row in rows], plain_sm3)
    assert open_checkpoint(newest[1], [KEY.verifying_key]).root == root
    assert meta["suite"] == "sm3"


def test_a_bundle_of_an_sm3_ledger_verifies_and_says_that_it_is_outside_c2sp(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(url, tmp_path) as ledger:
        ledger.append([registered(number) for number in range(1, 300)])
        ledger.append([bound(7)])
    with opened(url, tmp_path) as ledger:
        bundle = ledger.reader.bundle("cylinder/cyl_7")
    assert bundle.suite == "sm3"
    assert verify_bundle(bundle, [KEY.verifying_key]).suite == "sm3"
    file = tmp_path / "bundle.json"
    file.write_text(bundle.model_dump_json())
    assert cli.main(["verify", str(file), "--vkey", format_vkey(KEY.verifying_key)]) == 0
    assert "outside C2SP" in capsys.readouterr().out
    with pytest.raises(BundleError, match="hashed with sm3"):
        verify_bundle(bundle.model_copy(update={"suite": "sha256"}), [KEY.verifying_key])


def test_the_proof_of_one_entry_of_an_sm3_ledger_verifies(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(url, tmp_path) as ledger:
        ledger.append([registered(number) for number in range(1, 300)])
    place = str(tmp_path) if url.startswith("sqlite") else url
    file = str(tmp_path / "one.tlog-proof")
    assert cli.main(["proof", place, "256", "--out", file]) == 0
    assert cli.main(["verify", file, "--vkey", format_vkey(KEY.verifying_key)]) == 0
    assert "outside C2SP" in capsys.readouterr().out


def test_a_ledger_keeps_the_suite_it_was_created_with(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as ledger:
        ledger.append([registered(1)])
    with pytest.raises(StoreError, match="wrong"):
        opened(url, tmp_path, SigningKey("ledger.example/cylinders", KEY.seed))
    assert SM3.name == "sm3"
