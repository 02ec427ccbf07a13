"""A receipt: the ledger's signed promise about one entry, kept by whoever acted, and held against the log later."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_codes.note import sign_note
from cylinder_trace import cli
from cylinder_trace.events import Record, record_text
from cylinder_trace.promise import (
    Promise,
    PromiseError,
    SignedReceipt,
    format_promise,
    parse_promise,
    sign_promise,
    verify_receipt,
)
from cylinder_trace.store.ledger import Ledger
from ledgers.attacks import entries_in, make_ledger, recompute
from ledgers.homes import KEY, Home, registered, returned

VKEY = format_vkey(KEY.verifying_key)
TRUSTED = [KEY.verifying_key]
SM3_KEY = SigningKey("ledger.example/cylinders/sm3", bytes(range(32)))


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    folder = tmp_path / "data"
    folder.mkdir()
    if request.param == "sqlite":
        return Home(f"sqlite:///{folder}/ledger.db", folder)
    return Home(request.getfixturevalue("postgres_url"), folder)


def receipt_with(**changed: Any) -> SignedReceipt:
    """A sound receipt about entry 7 with something changed."""
    promise = Promise(origin=KEY.name, index=7, hash="0f" * 32, recorded_at=1)
    place = {"id": "a.1", "subject": "cylinder/cyl_1", "n": 0, "prev": "0" * 64}
    told = promise.model_dump(exclude={"origin"})
    return SignedReceipt(**{**place, **told, "promise": sign_promise(promise, KEY), **changed})


def signed(ledger: Ledger, record: Record) -> SignedReceipt:
    return ledger.sign(ledger.append([record])[0])


def test_a_receipt_is_signed_by_the_log_and_names_the_record_that_was_sent(home: Home) -> None:
    with home.open() as ledger:
        receipt = signed(ledger, registered(1))
    promise = verify_receipt(receipt, TRUSTED, registered(1))
    assert (promise.origin, promise.index, promise.hash) == (KEY.name, 0, receipt.hash)
    with pytest.raises(PromiseError, match="step 3"):
        verify_receipt(receipt, TRUSTED, registered(2))


def test_the_same_act_sent_again_gets_the_same_receipt_byte_for_byte(home: Home) -> None:
    with home.open() as ledger:
        first = signed(ledger, registered(1))
        ledger.append([registered(2)])
    with home.open() as ledger:
        assert signed(ledger, registered(1)) == first


def test_every_receipt_of_a_batch_is_a_promise_of_its_own(home: Home) -> None:
    records = [registered(number) for number in range(5)] + [returned(3, "back.3")]
    with home.open() as ledger:
        receipts = [ledger.sign(receipt) for receipt in ledger.append(records)]
    assert [verify_receipt(*pair).index for pair in zip(receipts, [TRUSTED] * 6, records, strict=True)] == [*range(6)]
    assert receipts[5].prev == receipts[3].hash


def test_the_promise_is_a_note_that_anybody_can_check_with_the_bare_key() -> None:
    promise = Promise(origin=KEY.name, index=4711, hash="ab" * 32, recorded_at=1_790_000_000_123)
    note = sign_promise(promise, KEY)
    text, _, signature = note.partition("\n\n")
    leaf = base64.b64encode(bytes.fromhex("ab" * 32)).decode()
    assert text == f"pinglian-promise/1\nledger.example/cylinders\n4711\n{leaf}\n1790000000123"
    blob = base64.b64decode(signature.rstrip("\n").split(" ")[-1])
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(VKEY.split("+", 2)[2])[1:])
    public.verify(blob[4:], f"{text}\n".encode())
    assert parse_promise(f"{text}\n") == promise


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("pinglian-promise/1", "pinglian-promise/2"),
        lambda text: text.replace("\n7\n", "\n07\n"),
        lambda text: text.replace("\n7\n", "\n-7\n"),
        lambda text: text.replace("\n7\n", "\n７\n"),
        lambda text: text.replace("\n7\n", "\n\n"),
        lambda text: text + "one more line\n",
        lambda text: text.rsplit("\n", 2)[0] + "\n",
        lambda text: text.replace("=\n", "\n"),
        lambda text: text.replace("\n7\n", f"\n{'9' * 5000}\n"),
    ],
    ids=["version", "leading zero", "negative", "full width", "empty", "longer", "shorter", "base64", "huge"],
)
def test_a_promise_has_one_form_and_every_other_is_refused_even_when_it_is_signed(spoil: Any) -> None:
    text = spoil(format_promise(Promise(origin=KEY.name, index=7, hash="0f" * 32, recorded_at=1)))
    with pytest.raises(PromiseError, match="step 1"):
        verify_receipt(receipt_with(promise=sign_note(text, KEY)), TRUSTED)


@pytest.mark.parametrize("changed", [{"index": 8}, {"hash": "1f" * 32}, {"recorded_at": 2}])
def test_a_receipt_says_what_its_promise_says(changed: dict[str, Any]) -> None:
    assert verify_receipt(receipt_with(), TRUSTED).index == 7
    with pytest.raises(PromiseError, match="step 2"):
        verify_receipt(receipt_with(**changed), TRUSTED)


def test_a_checkpoint_is_no_promise_and_a_strangers_key_promises_nothing(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(1)])
        ledger.publisher.publish()
        newest = ledger.reader.checkpoint()
    assert newest is not None
    with pytest.raises(PromiseError, match="step 1"):
        verify_receipt(receipt_with(promise=newest[1]), TRUSTED)
    stranger = SigningKey(KEY.name, bytes(32))
    with pytest.raises(PromiseError, match="step 1"):
        verify_receipt(receipt_with(), [stranger.verifying_key])
    other_log = SigningKey("other.example/log", bytes(32))
    foreign = sign_promise(Promise(origin=KEY.name, index=7, hash="0f" * 32, recorded_at=1), other_log)
    with pytest.raises(PromiseError, match="not by the key of"):
        verify_receipt(receipt_with(promise=foreign), [other_log.verifying_key])


# --- at the command line ------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def keep(receipt: SignedReceipt, file: Path) -> Path:
    """As a delivery app would: the service's whole answer, saved."""
    file.write_text(json.dumps({"receipt": receipt.model_dump()}))
    return file


def test_a_receipt_is_turned_into_a_proof_and_checked_with_it(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof, record = tmp_path / "one.tlog-proof", tmp_path / "record.json"
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(2, 300)])
        receipt = keep(signed(ledger, registered(1)), tmp_path / "receipt.json")
        ledger.append([registered(number) for number in range(300, 310)])
    record.write_bytes(record_text(registered(1)))
    place = home.folder if home.url.startswith("sqlite") else home.url
    status, told = run(capsys, "verify", receipt, "--vkey", VKEY, "--record", record)
    assert (status, "word for word" in told) == (0, True)
    assert run(capsys, "verify", receipt)[0] == 2
    status, told = run(capsys, "proof", place, receipt, "--out", proof, "--vkey", VKEY)
    assert (status, "承诺已兑现" in told) == (0, True)
    assert run(capsys, "verify", proof, "--vkey", VKEY, "--receipt", receipt)[0] == 0
    record.write_bytes(record_text(registered(2)))
    assert run(capsys, "verify", receipt, "--vkey", VKEY, "--record", record)[0] == 1


def test_a_log_that_was_rewritten_with_its_own_key_breaks_the_promise_and_leaves_the_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, evidence = make_ledger(tmp_path / "data"), tmp_path / "evidence.tlog-proof"
    with Home(f"sqlite:///{folder}/ledger.db", folder).open() as ledger:
        receipt = keep(signed(ledger, registered(900)), tmp_path / "receipt.json")
    size = len(entries_in(folder))

    def other_owner(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        entries[size - 1]["data"]["owner_id"] = "co_9"
        return entries

    recompute(folder, other_owner, sign=True)
    status, told = run(capsys, "proof", folder, receipt, "--out", evidence, "--vkey", VKEY)
    assert (status, f"entry {size - 1} was promised as" in told, evidence.is_file()) == (1, True, True)
    status, told = run(capsys, "verify", evidence, "--vkey", VKEY, "--receipt", receipt)
    assert (status, "not in the log" in told) == (1, True)


def test_what_is_not_published_yet_is_no_broken_promise(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with home.open() as ledger:
        receipt = signed(ledger, registered(1))
    promise = Promise(origin=KEY.name, index=5, hash=receipt.hash, recorded_at=receipt.recorded_at)
    later = receipt.model_copy(update={"index": 5, "promise": sign_promise(promise, KEY)})
    place = home.folder if home.url.startswith("sqlite") else home.url
    file = keep(later, tmp_path / "receipt.json")
    status, told = run(capsys, "proof", place, file, "--out", tmp_path / "x", "--vkey", VKEY)
    assert (status, "ask again in a second" in told, (tmp_path / "x").exists()) == (2, True, False)


def test_a_damaged_receipt_and_a_file_that_is_none_are_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "receipt.json"
    file.write_text('{"format": "pinglian-receipt/1", "id": "a"}')
    status, told = run(capsys, "verify", file, "--vkey", VKEY)
    assert (status, "damaged: subject" in told) == (2, True)
    file.write_text("[1, 2]")
    assert run(capsys, "verify", file, "--vkey", VKEY)[0] == 2
    folder = make_ledger(tmp_path / "data")
    status, told = run(capsys, "proof", folder, file, "--out", tmp_path / "x")
    assert (status, "is not a receipt" in told) == (2, True)


def test_a_receipt_of_an_sm3_ledger_is_checked_the_same_way(tmp_path: Path) -> None:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", tmp_path, SM3_KEY, lambda: 1_790_000_000_000) as ledger:
        receipt = signed(ledger, registered(1))
    assert verify_receipt(receipt, [SM3_KEY.verifying_key], registered(1)).index == 0
