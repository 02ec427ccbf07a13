"""Letting devices and people in: ``enrol``, ``user``. They work while the service runs: they write no ledger entry."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine

from cylinder_api.acts import people
from cylinder_api.acts.enrolment import CODE_LIFE_MS
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import show
from cylinder_api.folder import open_folder
from cylinder_api.service import system_clock
from cylinder_api.settings import settings_for
from cylinder_api.tokens import new_enrolment_code, new_token
from cylinder_trace.store.accounts import read_accounts, secret_sha256, station_is_known, write_row
from cylinder_trace.store.beside import write_beside
from cylinder_trace.store.database import create_schema, open_engine, parse_url
from cylinder_trace.store.tables import AccountRow, DeviceCodeRow
from cylinder_trace.store.unit import IdConflict, Unit

Answer = TypeVar("Answer")


@contextmanager
def database(options: argparse.Namespace) -> Iterator[Engine]:
    settings = settings_for(options.data, options.database_url)
    keys = open_folder(settings.data)
    engine = open_engine(parse_url(settings.database_url), writer=True)
    try:
        create_schema(engine, keys.log.name)
        yield engine
    finally:
        engine.dispose()


def in_one_unit(engine: Engine, work: Callable[[Unit], Answer]) -> Answer:
    """Run work of the service on its own tables; raises CannotDo for an id that is taken."""
    try:
        return write_beside(engine, work, system_clock())
    except IdConflict as error:
        raise CannotDo(str(error)) from error


def enrol(options: argparse.Namespace) -> int:
    """Print a one-time code with which a device of the station enrols itself."""
    code = new_enrolment_code()
    expires_at = system_clock() + CODE_LIFE_MS
    with database(options) as engine:
        if not station_is_known(engine, options.station):
            raise CannotDo(f"no station {options.station} is on file; look for its id in the list of stations")
        row = DeviceCodeRow(code_sha256=secret_sha256(code), station_id=options.station, expires_at=expires_at)
        write_row(engine, row)
    facts = {"station_id": options.station, "code": code, "expires_at": expires_at}
    show(options, facts, f"{code}\n(for one device of {options.station}, within a day; it is shown only now)")
    return 0


def add_user(options: argparse.Namespace) -> int:
    """Print a new token for an account."""
    token = new_token()
    row = AccountRow(
        token_sha256=secret_sha256(token),
        account_id=options.id,
        role=options.role,
        org_id=options.org,
        district=options.district,
    )
    with database(options) as engine:
        write_row(engine, row)
    facts = {"account_id": options.id, "role": options.role, "org_id": options.org, "token": token}
    show(options, facts, f"{token}\n(of {options.id}, {options.role} for {options.org}; it is shown only now)")
    return 0


def revoke_user(options: argparse.Namespace) -> int:
    """Take every token of an account out of force."""
    with database(options) as engine:
        rows = [row for row in read_accounts(engine) if row.account_id == options.id and row.revoked_at is None]
        for row in rows:
            write_row(engine, row.model_copy(update={"revoked_at": system_clock()}))
    if not rows:
        raise CannotDo(f"no token of {options.id} is in force; see: cylinder-api user list")
    show(options, {"account_id": options.id, "revoked": len(rows)}, f"{len(rows)} token(s) of {options.id} revoked")
    return 0


def list_users(options: argparse.Namespace) -> int:
    """Print who has a token that does not end by itself, and who signs in; never anything secret."""
    with database(options) as engine:
        rows = [row for row in read_accounts(engine) if row.expires_at is None]
        invited = people.list_users(engine)
    users = [row.model_dump(exclude={"token_sha256", "expires_at", "started_at"}) for row in rows]
    lines = [f"{row.account_id}\t{row.role}\t{row.org_id}\t{'revoked' if row.revoked_at else ''}" for row in rows]
    lines += [f"{one.user_id}\t{one.role}\t{one.org_id}\t{_standing(one)}" for one in invited]
    facts = {"users": users, "people": [one.model_dump() for one in invited]}
    show(options, facts, "\n".join(lines) or "nobody has a token, and nobody signs in")
    return 0


def _standing(one: people.UserItem) -> str:
    if one.revoked_at is not None:
        return "locked"
    return "signs in" if one.signs_in else "invited"


def invite_user(options: argparse.Namespace) -> int:
    """Print a one-time code with which a person chooses a password; invited again, they begin anew."""
    code, role = new_enrolment_code(), options.role
    asked = people.NewUser(user_id=options.id, role=role, org_id=options.org, district=options.district)
    with database(options) as engine:
        until = in_one_unit(engine, lambda unit: people.invite(unit, asked, code))
    facts = {**asked.model_dump(), "code": code, "expires_at": until}
    how = "with it they choose a password: POST /v1/users/accept"
    show(options, facts, f"{code}\n(for {options.id}, within three days; it is shown only now; {how})")
    return 0


def lock_user(options: argparse.Namespace) -> int:
    """Let a person in no more; every session and token of theirs ends."""
    with database(options) as engine:
        item = in_one_unit(engine, lambda unit: people.lock_user(unit, options.id))
    show(options, item.model_dump(), f"{item.user_id} is out; only a new invitation lets them in again")
    return 0
