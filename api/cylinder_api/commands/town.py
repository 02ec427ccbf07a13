"""Generated data in a folder of its own (演示数据): seeding it once, and access to it for demonstrations."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cylinder_api.access import ROLES, Role
from cylinder_api.acts.enrolment import grant, trust_device
from cylinder_api.commands.failure import CannotDo
from cylinder_api.folder import Keys, write_secret
from cylinder_api.service import Service
from cylinder_api.tokens import new_token
from cylinder_api.town.organisations import DEMO_STATION, INSPECTION_BODIES, REGULATOR, Station
from cylinder_api.town.plan import TownPlan
from cylinder_api.town.seeding import seed_ledger, vault_keeper
from cylinder_api.town.town import generate_town, write_answer_key
from cylinder_codes.keys import SEED_BYTES, KeyFormatError, SigningKey, format_signer, format_vkey, parse_signer
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.unit import Unit

DEFAULT_SEED = 2021
_PLAN_FILE = "town.json"
_ANSWER_KEY_FILE = "answer-key.json"
_ACCESS_FILE = "demo-access.json"
_SAY_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Wish:
    """The town that is asked for; without `as_of` it is made for today."""

    cylinders: int
    seed: int = DEFAULT_SEED
    as_of: str | None = None


def seed_folder(folder: Path, ledger: Ledger, keys: Keys, wish: Wish, now: int, say: Callable[[str], None]) -> bool:
    """Write the town into an empty ledger, or go on where seeding it was cut off; False if it is there already.

    Raises CannotDo for a ledger that holds something else.
    """
    begun = _begun(folder)
    if begun and begun["complete"]:
        return False
    if not begun and ledger.reader.size() > 0:
        raise CannotDo(f"{folder} holds a ledger that is not generated data; name another folder with --data")
    plan = _plan(keys, begun or {"cylinders": wish.cylinders, "seed": wish.seed, "as_of": wish.as_of or _today(now)})
    _write_plan(folder, plan, complete=False)
    say(f"generating a town of {plan.cylinders} cylinders as of {plan.as_of} (seed {plan.seed})")
    town = generate_town(plan)
    seed_ledger(town, ledger, vault_keeper(keys.master), _progress(say))
    write_answer_key(town, folder / _ANSWER_KEY_FILE)
    _write_plan(folder, plan, complete=True)
    return True


def _begun(folder: Path) -> dict[str, Any] | None:
    try:
        begun: dict[str, Any] = json.loads((folder / _PLAN_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CannotDo(f"cannot read {folder / _PLAN_FILE}: {error}") from error
    return begun


def _plan(keys: Keys, begun: dict[str, Any]) -> TownPlan:
    try:
        return TownPlan(begun["seed"], begun["as_of"], keys.tag, begun["cylinders"])
    except ValueError as error:
        raise CannotDo(str(error)) from error


def _write_plan(folder: Path, plan: TownPlan, *, complete: bool) -> None:
    facts = {"seed": plan.seed, "cylinders": plan.cylinders, "as_of": plan.as_of}
    text = json.dumps({"generated": True, **facts, "complete": complete})
    (folder / _PLAN_FILE).write_text(f"{text}\n", encoding="utf-8")


def _today(now: int) -> str:
    return format_day(local_day(now))


def _progress(say: Callable[[str], None]) -> Callable[[int, int], None]:
    last = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= _SAY_EVERY_S:
            last = time.monotonic()
            say(f"written {done} of {total}")

    return progress


def is_generated(folder: Path) -> bool:
    """Whether the folder holds generated data, whole."""
    begun = _begun(folder)
    return bool(begun and begun["complete"])


def give_access(service: Service, station: Station, base_url: str) -> Path:
    """Write demo-access.json with tokens that work: the ones that stand in it already, else new ones."""
    path = service.settings.data / _ACCESS_FILE
    kept = _kept_access(path)
    signer = _device_signer(kept)
    tokens = {role: kept.get("tokens", {}).get(role) or new_token() for role in ROLES}
    device_id = f"dev_demo_{signer.key_id.hex()}"
    service.ledger.transact(partial(_grant_all, tokens=tokens, device_id=device_id, signer=signer, station=station))
    access = {
        "base_url": base_url,
        "generated": True,
        "tokens": tokens,
        "log_vkey": format_vkey(service.keys.log.verifying_key),
        "station": {
            "station_id": station.station_id,
            "device_id": device_id,
            "private_key": format_signer(signer),
            "token": tokens["station"],
            "scales": list(station.scale_ids),
            "workers": list(station.filler_ids),
        },
    }
    write_secret(path, json.dumps(access, indent=1) + "\n")
    return path


def _kept_access(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) and kept.get("generated") is True else {}


def _device_signer(kept: dict[str, Any]) -> SigningKey:
    try:
        return parse_signer(kept["station"]["private_key"])
    except (KeyError, TypeError, KeyFormatError):
        return SigningKey(f"{DEMO_STATION}-demo", secrets.token_bytes(SEED_BYTES))


def _grant_all(unit: Unit, tokens: Mapping[Role, str], device_id: str, signer: SigningKey, station: Station) -> None:
    orgs: dict[Role, str] = {
        "company": station.company_id,
        "delivery": station.company_id,
        "maker": "mk_demo",
        "manager": station.station_id,
        "filler": station.station_id,
        "checker": station.station_id,
        "inspector": INSPECTION_BODIES[0],
        "regulator": REGULATOR,
        "auditor": REGULATOR,
        "admin": "service",
    }
    for role, org_id in orgs.items():
        grant(unit, tokens[role], f"demo_{role}", role, org_id)
    if unit.device(device_id) is None:
        trust_device(unit, device_id, station.station_id, signer.verifying_key, tokens["station"])
    else:
        grant(unit, tokens["station"], device_id, "station", station.station_id)
