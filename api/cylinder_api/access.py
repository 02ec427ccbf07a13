"""Who may call what: bearer tokens, roles, and the ONE table of operations.

Whose data an operation may touch (its own station, its own company's cylinders) is asked where the data is at hand.
"""

from typing import Annotated, Literal, get_args

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict

from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere
from cylinder_trace.store.accounts import read_account

Role = Literal["station", "company", "delivery", "inspector", "regulator", "auditor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
EVERYBODY: frozenset[Role] = frozenset()
"""No token is asked for."""


def _only(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


ACCESS: dict[str, frozenset[Role]] = {
    # at the scale
    "check_fill": _only("station"),
    "list_fill_checks": _only("station", "regulator", "auditor"),
    "record_fill": _only("station"),
    "upload_entries": _only("station"),
    "get_replica": _only("station"),
    "stream_changes": _only("station"),
    "record_return": _only("station", "delivery"),
    # the life of a cylinder
    "get_cylinder": _only("station", "company", "inspector", "regulator", "auditor"),
    "get_history": _only("station", "company", "inspector", "regulator", "auditor"),
    "get_history_bundle": _only("station", "company", "regulator", "auditor"),
    "register_cylinder": _only("company"),
    "import_cylinders": _only("company"),
    "bind_code": _only("company"),
    "request_tag": _only("company"),
    "grant_tag": _only("regulator"),
    "refuse_tag": _only("regulator"),
    "list_imports": _only("company", "admin"),
    "undo_import": _only("company", "admin"),
    "transfer_cylinder": _only("company"),
    "send_to_inspection": _only("company"),
    "report_lost": _only("company"),
    "report_found": _only("company"),
    "record_sale": _only("delivery"),
    "record_inspection": _only("inspector"),
    "record_inspection_item": _only("inspector"),
    "change_valve": _only("inspector"),
    "evaluate_cylinder": _only("inspector"),
    "condemn_cylinder": _only("inspector"),
    "destroy_cylinder": _only("inspector"),
    "hand_over_cylinder": _only("company", "delivery", "inspector", "regulator"),
    "accept_cylinder": _only("company", "delivery", "inspector", "regulator"),
    # supervision
    "seize_cylinder": _only("regulator"),
    "lift_seizure": _only("regulator"),
    "register_use": _only("regulator"),
    "cancel_registration": _only("regulator"),
    "record_licence": _only("regulator"),
    "get_scrapping": _only("inspector", "regulator", "auditor"),
    "flag_cylinder": _only("regulator"),
    "clear_flag": _only("regulator"),
    "lock_scale": _only("regulator"),
    "open_recall": _only("regulator"),
    "close_recall": _only("regulator"),
    "list_recalled": _only("regulator", "auditor"),
    "list_disputes": _only("regulator", "auditor"),
    "resolve_dispute": _only("regulator"),
    "get_entry_bundle": _only("auditor", "regulator"),
    # running the service
    "issue_enrolment_code": _only("admin"),
    # anybody
    "enrol_device": EVERYBODY,
    "look_up_code": EVERYBODY,
    "get_checkpoint": EVERYBODY,
    "get_log_keys": EVERYBODY,
    "get_log_rotations": EVERYBODY,
    "get_tile": EVERYBODY,
    "get_health": EVERYBODY,
    "get_readiness": EVERYBODY,
}
"""Operation id → the roles that may call it."""


class Account(BaseModel):
    """Who is calling."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    """A person's or a machine's id; for a station's token the device id."""
    role: Role
    org_id: str
    """The organisation spoken for: station, company, inspection body, authority."""


_bearer = HTTPBearer(auto_error=False, description="A token of a device, a person or a system.")


def account_of(
    request: Request,
    service: ServiceHere,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Account:
    """The caller, if their role may call this operation; raises Refused with 401 or 403."""
    row = read_account(service.ledger.engine, credentials.credentials) if credentials else None
    if row is None or row.revoked_at is not None:
        raise Refused("unauthenticated", "send Authorization: Bearer with a token that is in force")
    account = Account.model_validate(row, from_attributes=True)
    operation = request.scope["route"].name
    request.state.account_id = account.account_id
    if account.role not in ACCESS[operation]:
        allowed = ", ".join(sorted(ACCESS[operation]))
        raise Refused("not_allowed", f"a token of role {account.role} may not call {operation}; it is for {allowed}")
    return account


Caller = Annotated[Account, Depends(account_of)]
