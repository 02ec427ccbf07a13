"""A town goes into a real ledger and a real vault, whole, once, and passes the audit there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cylinder_api.town.plan import TownPlan
from cylinder_api.town.seeding import seed_ledger, vault_keeper
from cylinder_api.town.town import Town, generate_town
from cylinder_codes.authenticity import TagKey
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.audit import Auditor, read_vkey
from cylinder_trace.dates import HOUR_MS, start_of_day_ms
from cylinder_trace.identity import Identity, commit_identity
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.store.vault import Vault

LOG_KEY = SigningKey("town.example", bytes(range(32)))
MASTER_KEY = bytes(reversed(range(32)))
PLAN = TownPlan(seed=7, as_of="2026-11-20", tag_key=TagKey("town-test", bytes(range(32))), cylinders=200)
NOON = start_of_day_ms(PLAN.today) + 12 * HOUR_MS


@pytest.fixture(scope="module")
def town() -> Town:
    return generate_town(PLAN)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", tmp_path, LOG_KEY, lambda: NOON) as opened:
        yield opened


def test_a_seeded_ledger_holds_the_town_and_passes_the_audit(town: Town, ledger: Ledger) -> None:
    steps: list[tuple[int, int]] = []
    written = seed_ledger(town, ledger, vault_keeper(MASTER_KEY), lambda done, total: steps.append((done, total)))
    assert written == ledger.reader.size() == len(town.records)
    assert steps[-1][0] == steps[-1][1] == len(town.records) + len(town.customers)
    assert ledger.publisher.wait_published(written, timeout_s=10)
    auditor = Auditor(ledger.reader.checkpoints(), read_vkey(format_vkey(LOG_KEY.verifying_key)))
    auditor.check(ledger.reader.all_entries())
    assert auditor.finish(ledger.reader.read_model()).faults == []
    assert all(ledger.reader.cylinder_id(code) == cylinder_id for cylinder_id, code in town.codes.items())


def test_seeding_twice_changes_nothing(town: Town, ledger: Ledger) -> None:
    seed_ledger(town, ledger)
    seed_ledger(town, ledger)
    assert ledger.reader.size() == len(town.records)


def test_the_vault_keeps_a_customer_under_the_commitment_of_the_sales(town: Town) -> None:
    customer = town.customers[0]
    salt = town.salts[customer.customer_id]
    row: PersonRow = vault_keeper(MASTER_KEY)(customer, salt)
    assert row.commitment == commit_identity(customer.identity, salt)
    opened: Identity = Vault(MASTER_KEY).open(row)
    assert opened == customer.identity
    assert customer.name.encode() not in row.sealed
