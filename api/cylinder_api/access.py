"""Who may call what: bearer tokens, roles, and the ONE table of operations.

Whose data an operation may touch (its own station, its own company's cylinders) is asked where the data is at hand.
"""

import asyncio
from functools import partial
from typing import Annotated, Literal, NamedTuple, get_args

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.store.accounts import FoundAccount, renew_session, secret_sha256
from cylinder_trace.subjects import DeviceState

Role = Literal[
    "station", "company", "maker", "manager", "filler", "checker", "delivery", "inspector", "regulator", "auditor",
    "admin",
]  # fmt: skip
"""A station's device 站端设备; company 充装单位, maker 制造单位; at a station its manager 站长, filler 充装工 and
checker 检查员; delivery 送气工, inspector 检验机构, regulator 监管部门, auditor 审计, admin 管理员."""
ROLES: tuple[Role, ...] = get_args(Role)
AT_STATION: frozenset[Role] = frozenset({"station", "manager", "filler", "checker"})
"""Those whose organisation is a station."""
SystemRole = Literal["company", "maker", "delivery", "inspector", "regulator", "auditor"]
SYSTEM_ROLES: tuple[SystemRole, ...] = get_args(SystemRole)
"""What a system with a key of its own may speak as: never as one person, nor as who lets others in."""
EVERYBODY = None
"""No token is asked for."""


class Rule(NamedTuple):
    """What one operation asks of a token."""

    scope: str
    roles: frozenset[Role]


def _for(scope: str, *roles: Role) -> Rule:
    return Rule(scope, frozenset(roles))


_WHO_LOOK_UP: tuple[Role, ...] = ("station", "manager", "company", "maker", "regulator", "auditor")
_WHO_CAPTURE: tuple[Role, ...] = ("company", "maker", "delivery", "inspector", "regulator")
ACCESS: dict[str, Rule | None] = {
    # at the scale
    "check_fill": _for("fill:check", "station"),
    "list_fill_checks": _for("fill:read", "station", "manager", "filler", "checker", "regulator", "auditor"),
    "record_fill": _for("fill:record", "station"),
    "upload_entries": _for("station:sync", "station"),
    "hand_in_entries": _for("station:sync", "station", "manager", "auditor"),
    "get_replica": _for("station:sync", "station", "manager"),
    "get_dead_codes": _for("station:sync", "station", "manager"),
    "stream_changes": _for("station:sync", "station"),
    "list_present_devices": _for("device:read", "manager", "regulator", "admin"),
    "record_return": _for("sale:write", "station", "delivery"),
    "record_departure": _for("sale:write", "station", "delivery"),
    # the life of a cylinder
    "list_cylinders": _for("cylinder:read", "station", "manager", "company", "regulator", "auditor"),
    "get_figures": _for("figures:read", "company", "regulator", "auditor"),
    "get_cylinder": _for("cylinder:read", *_WHO_LOOK_UP, "filler", "checker", "inspector"),
    "get_history": _for("cylinder:read", *_WHO_LOOK_UP, "inspector"),
    "get_history_bundle": _for("cylinder:read", *_WHO_LOOK_UP),
    "record_making": _for("cylinder:write", "maker"),
    "register_cylinder": _for("cylinder:write", "company"),
    "import_cylinders": _for("import:write", "company"),
    "bind_code": _for("cylinder:write", "company"),
    "request_tag": _for("cylinder:write", "company"),
    "grant_tag": _for("supervision:write", "regulator"),
    "refuse_tag": _for("supervision:write", "regulator"),
    "tell_bad_rows": _for("import:read", "company"),
    "list_imports": _for("import:read", "company", "admin"),
    "get_import": _for("import:read", "company", "admin"),
    "undo_import": _for("import:write", "company", "admin"),
    "transfer_cylinder": _for("cylinder:write", "company"),
    "send_to_inspection": _for("cylinder:write", "company"),
    "report_lost": _for("cylinder:write", "company"),
    "report_found": _for("cylinder:write", "company"),
    "record_sale": _for("sale:write", "delivery"),
    "record_safety_check": _for("sale:write", "delivery"),
    "read_customer": _for("customer:read", "company", "delivery", "regulator"),
    "erase_customer": _for("customer:erase", "company", "regulator"),
    "record_inspection": _for("inspection:write", "inspector"),
    "record_rack": _for("inspection:write", "inspector"),
    "record_inspection_item": _for("inspection:write", "inspector"),
    "change_valve": _for("inspection:write", "inspector"),
    "evaluate_cylinder": _for("inspection:write", "inspector"),
    "condemn_cylinder": _for("inspection:write", "inspector"),
    "destroy_cylinder": _for("inspection:write", "inspector"),
    "hand_over_cylinder": _for("custody:write", "company", "delivery", "inspector", "regulator"),
    "accept_cylinder": _for("custody:write", "company", "delivery", "inspector", "regulator"),
    # supervision
    "seize_cylinder": _for("supervision:write", "regulator"),
    "lift_seizure": _for("supervision:write", "regulator"),
    "register_use": _for("supervision:write", "regulator"),
    "cancel_registration": _for("supervision:write", "regulator"),
    "receive_lot": _for("lot:write", "company"),
    "test_lot": _for("lot:write", "company", "regulator"),
    "release_lot": _for("lot:write", "company", "regulator"),
    "block_lot": _for("lot:write", "company", "regulator"),
    "license_station": _for("supervision:write", "regulator"),
    "verify_scale": _for("supervision:write", "regulator"),
    "record_certificate": _for("supervision:write", "regulator"),
    "correct_entry": _for("supervision:write", "regulator"),
    "record_licence": _for("supervision:write", "regulator"),
    "get_scrapping": _for("supervision:read", "inspector", "regulator", "auditor"),
    "flag_cylinder": _for("supervision:write", "regulator"),
    "clear_flag": _for("supervision:write", "regulator"),
    "lock_filling": _for("supervision:write", "regulator"),
    "state_authority_key": _for("access:write", "admin"),
    "list_authority_keys": _for("supervision:read", "station", "manager", "regulator", "auditor", "admin"),
    "open_recall": _for("recall:write", "regulator", "maker"),
    "close_recall": _for("recall:write", "regulator", "maker"),
    "list_recalled": _for("recall:read", "regulator", "auditor", "maker"),
    "list_alarms": _for("supervision:read", "regulator", "auditor"),
    "list_disputes": _for("supervision:read", "regulator", "auditor"),
    "resolve_dispute": _for("supervision:write", "regulator"),
    "get_entry_bundle": _for("log:read", "auditor", "regulator"),
    # the world's formats
    **dict.fromkeys(
        (
            "query_epcis_events",
            "get_epcis_event",
            "list_epcis_resources",
            "list_epcis_values",
            "query_epcis_events_of",
            "get_epcis_value",
        ),
        _for("epcis:query", "company", "regulator", "auditor"),
    ),
    **dict.fromkeys(("capture_epcis", "capture_epcis_event"), _for("epcis:capture", *_WHO_CAPTURE)),
    **dict.fromkeys(("list_captures", "get_capture"), _for("epcis:capture", *_WHO_CAPTURE, "auditor")),
    **dict.fromkeys(
        (
            "create_epcis_query",
            "list_epcis_queries",
            "get_epcis_query",
            "delete_epcis_query",
            "query_epcis_events_by_name",
            "subscribe_epcis_query",
            "list_epcis_subscriptions",
            "get_epcis_subscription",
            "unsubscribe_epcis_query",
        ),
        _for("epcis:query", "company", "regulator", "auditor"),
    ),
    # running the service
    "issue_enrolment_code": _for("device:write", "admin", "manager"),
    "list_devices": _for("device:read", "admin", "manager", "company", "regulator", "auditor"),
    "cut_off_device": _for("device:write", "admin", "manager", "company", "regulator"),
    "register_client": _for("access:write", "admin"),
    "list_clients": _for("access:read", "admin"),
    "revoke_client": _for("access:write", "admin"),
    # telling others
    "create_webhook": _for("webhook:write", "company", "regulator"),
    "list_webhooks": _for("webhook:read", "company", "regulator", "auditor", "admin"),
    "get_webhook": _for("webhook:read", "company", "regulator", "auditor", "admin"),
    "change_webhook": _for("webhook:write", "company", "regulator"),
    "delete_webhook": _for("webhook:write", "company", "regulator", "admin"),
    "exchange_webhook_secret": _for("webhook:write", "company", "regulator"),
    "list_deliveries": _for("webhook:read", "company", "regulator", "auditor", "admin"),
    "resend_delivery": _for("webhook:write", "company", "regulator"),
    "replay_webhook": _for("webhook:write", "company", "regulator"),
    "test_webhook": _for("webhook:write", "company", "regulator"),
    "invite_user": _for("access:write", "admin", "manager"),
    "list_users": _for("access:read", "admin", "manager"),
    "lock_user": _for("access:write", "admin", "manager"),
    # oneself
    "get_me": _for("self", *ROLES),
    "list_sessions": _for("self", *ROLES),
    "end_session": _for("self", *ROLES),
    "end_all_sessions": _for("self", *ROLES),
    "sign_out": _for("self", *ROLES),
    "change_password": _for("self", *ROLES),
    # anybody
    "enrol_device": EVERYBODY,
    "issue_token": EVERYBODY,
    "accept_invitation": EVERYBODY,
    "sign_in": EVERYBODY,
    **dict.fromkeys(("resolve_code", "resolve_grai", "resolve_giai"), EVERYBODY),
    **dict.fromkeys(("get_public_answer", "get_public_history", "get_public_certificates"), EVERYBODY),
    **dict.fromkeys(("verify_code", "check_connectivity", "get_resolver_description"), EVERYBODY),
    "get_safety_advice": EVERYBODY,
    "get_checkpoint": EVERYBODY,
    "get_log_keys": EVERYBODY,
    "get_log_rotations": EVERYBODY,
    "get_tile": EVERYBODY,
    "get_metrics": _for("service:read", "auditor", "admin"),
    "get_problem_page": EVERYBODY,
    "get_health": EVERYBODY,
    "get_readiness": EVERYBODY,
}
"""Operation id → what a token must hold to call it."""
SCOPES = frozenset(rule.scope for rule in ACCESS.values() if rule)


def scopes_of(role: str) -> set[str]:
    """Every scope that a token of this role may hold."""
    return {rule.scope for rule in ACCESS.values() if rule and role in rule.roles}


class Account(BaseModel):
    """Who is calling."""

    model_config = ConfigDict(frozen=True)

    token_sha256: str = Field(repr=False)
    account_id: str
    """A person's or a machine's id; for a station's token the device id."""
    role: Role
    org_id: str
    """The organisation spoken for: station, company, inspection body, authority."""
    district: str | None = None
    """Where an authority is competent (辖区), the front of an administrative code; absent = everywhere."""
    scope: str | None = None
    """What this token may do, words parted by blanks; absent = all that the role may."""
    started_at: int | None = None
    """When the person signed in; absent = a token."""


SESSION_COOKIE = "__Host-pinglian"
IDLE_MS = 30 * 60_000
"""A session that nobody uses ends."""
ABSOLUTE_MS = 12 * 3_600_000
"""So does one in constant use."""
_RENEW_MS = 60_000
bearer = HTTPBearer(auto_error=False, description="A token of a device, a person or a system.")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def account_of(
    request: Request,
    service: ServiceHere,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Account:
    """The caller, if their role and token may call this operation; raises Refused with 401 or 403."""
    secret = credentials.credentials if credentials else _session_of(request)
    row = await service.accounts.get(secret_sha256(secret)) if secret else None
    if row is None or not is_in_force(row, service.clock()):
        request.app.state.limits.take("address", request.client.host if request.client else "-")
        raise await _not_in_force(service, row)
    account = Account.model_validate(row, from_attributes=True)
    request.state.account_id = account.account_id
    request.app.state.limits.take("account", account.account_id)
    _require_may(account, request.scope["route"].name)
    if account.started_at is not None:
        await _keep_open(service, account, row.expires_at or 0)
    return account


async def _not_in_force(service: Service, row: FoundAccount | None) -> Refused:
    """Why a token opens nothing. A device that was cut off (停用) is told so: it must not fill without us either."""
    subject = f"device/{row.account_id}" if row is not None else ""
    device = await asyncio.to_thread(service.ledger.reader.state, subject) if subject else None
    if isinstance(device, DeviceState) and device.revoked_at is not None:
        return Refused("device_cut_off", f"device {device.device_id} was cut off; enrol another one")
    return Refused("unauthenticated", "send Authorization: Bearer with a token that is in force")


def is_in_force(row: FoundAccount, now: int) -> bool:
    """Whether a token opens anything at `now` (UTC ms)."""
    return row.revoked_at is None and (row.expires_at is None or now < row.expires_at)


def _session_of(request: Request) -> str | None:
    """The session in the cookie. A page of another site can send the cookie along, but not say that it is ours."""
    secret = request.cookies.get(SESSION_COOKIE)
    if secret and request.method not in _SAFE_METHODS:
        require_own_page(request)
    return secret


def require_own_page(request: Request, *, may_be_absent: bool = False) -> None:
    """Raise Refused for what a browser sends from a page that is not ours; a program says nothing of pages."""
    site = request.headers.get("sec-fetch-site")
    if site != "same-origin" and not (site is None and may_be_absent):
        raise Refused("other_origin", "a session writes only from the service's own pages; programs send a token")


async def _keep_open(service: Service, session: Account, ends_at: int) -> None:
    """Move the end of a session in use ahead, at most once a minute, and never past its last moment."""
    until = min(service.clock() + IDLE_MS, (session.started_at or 0) + ABSOLUTE_MS)
    if until > ends_at + _RENEW_MS:
        await service.commit(partial(renew_session, token_sha256=session.token_sha256, until=until))


def _require_may(account: Account, operation: str) -> None:
    rule = ACCESS[operation]
    if rule is None:
        return
    if account.role not in rule.roles:
        allowed = ", ".join(sorted(rule.roles))
        raise Refused("not_allowed", f"a token of role {account.role} may not call {operation}; it is for {allowed}")
    if account.scope is not None and rule.scope not in account.scope.split():
        raise Refused("scope_missing", f"{operation} needs a token with the scope {rule.scope}")


def require_district(account: Account, region: str | None, what: str) -> None:
    """Raise Refused when `what` lies in a region (行政区划) that is not the authority's."""
    if account.district is not None and not (region or "").startswith(account.district):
        raise Refused("other_district", f"{what} is not in district {account.district}, where this authority acts")


Caller = Annotated[Account, Depends(account_of)]
