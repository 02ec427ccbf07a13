"""Ten kinds of tampering by three attackers: what the audit finds from the attacked store alone, and with a memory.

`FOUND` is the table of docs/audit.md; a test holds the page to it.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cylinder_codes.keys import format_vkey
from cylinder_trace import cli
from ledgers.attacks import Json, by_hand, make_ledger, recompute
from ledgers.homes import KEY

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
Attack = Callable[[Path, Path], None]
"""Attacks the first folder; the second is a copy made before the last entries came."""


class Found(NamedTuple):
    """What the audit says of one attack; "" is "cannot be excluded"."""

    kind: str
    attacker: str
    alone: str
    """Kinds named from the store alone."""
    remembered: str
    """Kinds named with the newest checkpoint that a witness kept."""
    by: str


NOTHING = ""
FOUND = (
    Found("edited", "A", "edited", "edited", "the hash beside the text"),
    Found("edited", "B", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("edited", "C", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("deleted", "A", "deleted state_mismatch", "deleted state_mismatch", "the gap in the indexes"),
    Found("deleted", "B", NOTHING, "rolled_back", "the size in the remembered checkpoint"),
    Found("deleted", "C", NOTHING, "rolled_back", "the size in the remembered checkpoint"),
    Found(
        "inserted", "A", "edited inserted state_mismatch", "edited inserted state_mismatch", "its chain, its columns"
    ),
    Found("inserted", "B", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("inserted", "C", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("reordered", "A", "reordered", "reordered", "the tile: the same hashes"),
    Found("reordered", "B", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("reordered", "C", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("truncated", "A", "state_mismatch truncated", "state_mismatch truncated", "the stored checkpoint"),
    Found("truncated", "B", NOTHING, "rolled_back", "the size in the remembered checkpoint"),
    Found("truncated", "C", NOTHING, "rolled_back", "the size in the remembered checkpoint"),
    Found("rolled_back", "A", "rolled_back", "rolled_back", "the checkpoint published beside the database"),
    Found("rolled_back", "B", NOTHING, "rolled_back", "the size in the remembered checkpoint"),
    Found("rolled_back", "C", NOTHING, "rolled_back", "the size in the remembered checkpoint"),
    Found("forked", "A", "forged_author", "forged_author", "the signature of the checkpoint"),
    Found("forked", "B", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("forked", "C", NOTHING, "forked", "the root in the remembered checkpoint"),
    Found("forged_author", "A", "edited forged_author", "edited forged_author", "the hash; the device's journal"),
    Found("forged_author", "B", "forged_author", "forged_author forked", "the device's signature of its chain's head"),
    Found("forged_author", "C", "forged_author", "forged_author forked", "the device's signature of its chain's head"),
    Found("clock_backwards", "A", "edited", "edited", "the text beside the column"),
    Found("clock_backwards", "B", "clock_backwards", "clock_backwards forked", "the entry before it"),
    Found("clock_backwards", "C", "clock_backwards", "clock_backwards forked", "the entry before it"),
    Found("state_mismatch", "A", "state_mismatch", "state_mismatch", "the entries folded again"),
    Found("state_mismatch", "B", "state_mismatch", "state_mismatch", "the entries folded again"),
    Found("state_mismatch", "C", "state_mismatch", "state_mismatch", "the entries folded again"),
)


# --- attacker A ----------------------------------------------------------------------------------------------


def sql(*statements: str) -> Attack:
    def attack(folder: Path, _older: Path) -> None:
        with by_hand(folder) as database:
            for statement in statements:
                database.execute(statement)

    return attack


def older_database(folder: Path, older: Path) -> None:
    shutil.copy(older / "ledger.db", folder / "ledger.db")


def older_folder(folder: Path, older: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(older, folder)


def inserted_by_hand(folder: Path, _older: Path) -> None:
    with by_hand(folder) as database:
        database.execute(
            "INSERT INTO entry SELECT log_index + 1, id || '.x', subject, n + 1, type, occurred_at, recorded_at, hash, "
            "text FROM entry ORDER BY log_index DESC LIMIT 1"
        )


SWAP = (
    "UPDATE entry SET log_index = -1 WHERE log_index = 1",
    "UPDATE entry SET log_index = 1 WHERE log_index = 2",
    "UPDATE entry SET log_index = 2 WHERE log_index = -1",
)
TEXT = "UPDATE entry SET text = CAST(replace(CAST(text AS TEXT), '{}', '{}') AS BLOB) WHERE id = '{}'"


# --- attackers B and C -----------------------------------------------------------------------------------------


def entry_of(entries: list[Json], id: str) -> Json:
    return next(entry for entry in entries if entry["id"] == id)


def edit(entries: list[Json]) -> list[Json]:
    entry_of(entries, "back.0")["occurred_at"] -= 86_400_000
    return entries


def delete(entries: list[Json]) -> list[Json]:
    return [entry for entry in entries if entry["id"] != "cond.5"]


def insert(entries: list[Json]) -> list[Json]:
    more = {**entry_of(entries, "back.0"), "id": "back.more"}
    at = entries.index(entry_of(entries, "back.0")) + 1
    return [*entries[:at], more, *entries[at:]]


def reorder(entries: list[Json]) -> list[Json]:
    entries[1], entries[2] = entries[2], entries[1]
    entries[1]["recorded_at"], entries[2]["recorded_at"] = entries[2]["recorded_at"], entries[1]["recorded_at"]
    return entries


def truncate(entries: list[Json]) -> list[Json]:
    return entries[:-2]


def fork(entries: list[Json]) -> list[Json]:
    return [*entries[:-2], {**entries[-1], "id": "back.other", "subject": "cylinder/cyl_4"}, entries[-2]]


def forge(entries: list[Json]) -> list[Json]:
    entry_of(entries, "dev.1")["occurred_at"] -= 86_400_000
    return entries


def turn_clock(entries: list[Json]) -> list[Json]:
    entry_of(entries, "back.1")["recorded_at"] = entries[0]["recorded_at"] - 1
    return entries


def as_owner(change: Callable[[list[Json]], list[Json]], *, sign: bool) -> Attack:
    return lambda folder, _older: recompute(folder, change, sign=sign)


def with_a_state(*, sign: bool) -> Attack:
    def attack(folder: Path, older: Path) -> None:
        recompute(folder, lambda entries: entries, sign=sign)
        ATTACKS["state_mismatch", "A"](folder, older)

    return attack


def signed_again(folder: Path, older: Path) -> None:
    older_folder(folder, older)
    recompute(folder, lambda entries: entries, sign=True)


CHANGES = {
    "edited": edit, "deleted": delete, "inserted": insert, "reordered": reorder, "truncated": truncate,
    "forked": fork, "forged_author": forge, "clock_backwards": turn_clock,
}  # fmt: skip
ATTACKS: dict[tuple[str, str], Attack] = {
    ("edited", "A"): sql(TEXT.format('"station_id":"st_1"', '"station_id":"st_2"', "back.0")),
    ("deleted", "A"): sql("DELETE FROM entry WHERE id = 'cond.5'"),
    ("inserted", "A"): inserted_by_hand,
    ("reordered", "A"): sql(*SWAP),
    ("truncated", "A"): sql("DELETE FROM entry WHERE log_index >= (SELECT max(log_index) - 1 FROM entry)"),
    ("rolled_back", "A"): older_database,
    ("rolled_back", "B"): older_folder,
    ("rolled_back", "C"): signed_again,
    ("forked", "A"): sql("UPDATE checkpoint SET note = replace(note, substr(note, 29, 4), 'AAAA')"),
    ("forged_author", "A"): sql(TEXT.format('"by":"dev_1"', '"by":"dev_2"', "dev.1")),
    ("clock_backwards", "A"): sql("UPDATE entry SET recorded_at = recorded_at - 1000 WHERE id = 'back.1'"),
    ("state_mismatch", "A"): sql(
        "UPDATE subject_now SET state = replace(state, '\"condemned\"', '\"active\"') WHERE subject = 'cylinder/cyl_5'"
    ),
    ("state_mismatch", "B"): with_a_state(sign=False),
    ("state_mismatch", "C"): with_a_state(sign=True),
    **{(kind, "B"): as_owner(change, sign=False) for kind, change in CHANGES.items()},
    **{(kind, "C"): as_owner(change, sign=True) for kind, change in CHANGES.items()},
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ledger(tmp_path_factory.mktemp("tamper") / "data")


@pytest.fixture(scope="module")
def older(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as it stood before the last two entries."""
    folder = tmp_path_factory.mktemp("older") / "data"
    shutil.copytree(ledger, folder)
    recompute(folder, truncate, sign=True)
    return folder


def audit(capsys: pytest.CaptureFixture[str], folder: Path, *more: object) -> Json:
    vkey = format_vkey(KEY.verifying_key)
    cli.main(["audit", str(folder), "--vkey", vkey, "--json", "--jobs", "1", *map(str, more)])
    report: Json = json.loads(capsys.readouterr().out)
    return report


def kinds(report: Json, key: str = "faults") -> str:
    return " ".join(sorted({fault["kind"] for fault in report[key]}))


@pytest.fixture(scope="module")
def kept(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a witness kept: the newest checkpoint before the attack."""
    return Path(shutil.copy(ledger / "log" / "checkpoint", tmp_path_factory.mktemp("witness") / "kept"))


# --- the table --------------------------------------------------------------------------------------------------


def test_the_untouched_ledger_passes_with_and_without_a_memory(
    ledger: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for report in (audit(capsys, ledger), audit(capsys, ledger, "--remembered", kept)):
        assert report["faults"] == []
        assert (report["ok"], report["size"]) == (True, report["entries"])


def test_what_cannot_be_excluded_is_named_and_a_memory_says_from_where_on(
    ledger: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, remembering = audit(capsys, ledger), audit(capsys, ledger, "--remembered", kept)
    for report, place in ((alone, "excluded at all"), (remembering, f"behind entry {alone['entries'] - 1}")):
        assert kinds(report, "not_excluded") == "forked rolled_back truncated"
        assert all(place in item["message"] for item in report["not_excluded"])


@pytest.mark.parametrize("row", FOUND, ids=lambda row: f"{row.kind}-{row.attacker}")
def test_each_kind_by_each_attacker_is_found_or_cannot_be_excluded_as_the_table_says(
    row: Found, ledger: Path, older: Path, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attacked = tmp_path / "data"
    shutil.copytree(ledger, attacked)
    ATTACKS[row.kind, row.attacker](attacked, older)
    alone, remembering = audit(capsys, attacked), audit(capsys, attacked, "--remembered", kept)
    assert (kinds(alone), kinds(remembering)) == (row.alone, row.remembered)
    assert alone["ok"] == (row.alone == NOTHING)
    assert {"forked", "rolled_back", "truncated"} <= set(kinds(alone, "not_excluded").split())


def test_the_table_has_every_kind_by_every_attacker_and_a_memory_finds_them_all() -> None:
    assert [(row.kind, row.attacker) for row in FOUND] == [
        (kind, attacker) for kind in dict.fromkeys(row.kind for row in FOUND) for attacker in "ABC"
    ]
    assert {(row.kind, row.attacker) for row in FOUND} == set(ATTACKS)
    assert len(FOUND) == 30
    assert all(row.remembered for row in FOUND)


def lines_of_the_table() -> list[str]:
    lines = ["| kind | attacker | from the store alone | with a remembered checkpoint | by |", "|---|---|---|---|---|"]
    for row in FOUND:
        alone, remembered = (
            ", ".join(f"`{kind}`" for kind in found.split()) or "cannot be excluded"
            for found in (row.alone, row.remembered)
        )
        lines.append(f"| `{row.kind}` | {row.attacker} | {alone} | {remembered} | {row.by} |")
    return lines


def test_the_page_about_the_audit_shows_this_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("| ") and line.count("|") == 6] == [
        line for line in lines_of_the_table() if not line.startswith("|---")
    ]
