"""People: invited, signed in, their own sessions and password; and who I am."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel

from cylinder_api.access import ABSOLUTE_MS, SESSION_COOKIE, Account, Caller, require_own_page, scopes_of
from cylinder_api.acts import people
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import INVITATION_ACCEPTED, PASSWORD_CHANGE, SIGN_IN, USER
from cylinder_api.idempotency import ActKey, act_key
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_api.tokens import derived_code, new_token
from cylinder_trace.store.accounts import read_row
from cylinder_trace.store.tables import LoginRow
from cylinder_trace.values import Id, Instant

router = APIRouter(prefix="/v1", tags=["people"])


class Invited(BaseModel):
    """A one-time code for the person, shown once."""

    user_id: str
    code: str
    expires_at: Instant


class UserList(BaseModel):
    """People who were invited, by id."""

    items: list[people.UserItem]


class SecondFactorAnswer(BaseModel):
    """What the person's authenticator app reads, as a link or as a QR code; shown until they first sign in."""

    user_id: str
    otpauth_uri: str


class SessionAnswer(BaseModel):
    """Signed in; the session itself is in the cookie, where no script reads it."""

    user_id: str
    role: str
    org_id: str
    expires_at: Instant


class SessionList(BaseModel):
    """One's own sessions, the newest first."""

    items: list[people.SessionItem]


class SessionsEnded(BaseModel):
    """How many sessions were ended."""

    ended: int


class Me(BaseModel):
    """Who is calling, and what they may do."""

    account_id: str
    role: str
    org_id: str
    district: str | None
    scope: str
    """All that this token may do, words parted by blanks."""
    signed_in: bool
    """Whether this is a session, and not a token."""


# --- inviting -------------------------------------------------------------------------------------------------


@router.post(
    "/users",
    status_code=201,
    summary="Invite a person, or let them begin anew (邀请用户)",
    responses=documented("not_json", "other_station", "id_conflict"),
    openapi_extra=takes(people.NewUser, USER),
)
async def invite_user(
    request: Request,
    caller: Caller,
    service: ServiceHere,
    asked: Annotated[people.NewUser, Depends(JsonBody(people.NewUser))],
) -> Invited:
    """By an admin; a station manager invites the station's fillers and checkers. The code is good for three days."""
    code = derived_code(service.keys.master, "invite", caller.account_id, asked.user_id, act_key(request))
    until = await service.commit(partial(people.invite, asked=asked, code=code, inviter=caller))
    return Invited(user_id=asked.user_id, code=code, expires_at=until)


@router.get("/users", summary="People who were invited", responses=documented())
def list_users(caller: Caller, service: ServiceHere) -> UserList:
    """A station manager sees the station's fillers and checkers."""
    return UserList(items=people.list_users(service.ledger.engine, caller))


@router.delete(
    "/users/{user_id}",
    summary="Let a person in no more (停用用户)",
    responses=documented("user_unknown", "idempotency_key_missing"),
)
async def lock_user(
    user_id: Annotated[Id, Path()], caller: Caller, service: ServiceHere, _key: ActKey
) -> people.UserItem:
    """Every session and token of theirs ends at once. A new invitation lets them in again."""
    return await service.commit(partial(people.lock_user, user_id=user_id, by=caller))


@router.post(
    "/users/accept",
    summary="Choose a password with the one-time code (接受邀请)",
    responses=documented("not_json", "enrolment_code_invalid", "password_weak", public=True),
    openapi_extra=takes(people.InvitationAccepted, INVITATION_ACCEPTED),
)
def accept_invitation(
    service: ServiceHere, asked: Annotated[people.InvitationAccepted, Depends(JsonBody(people.InvitationAccepted))]
) -> SecondFactorAnswer:
    """The answer is for the authenticator app. Sent again with the same code and password it is the same, until the
    person first signs in."""
    row = people.find_invited(service.ledger.engine, asked.code, service.clock())
    factor = people.SecondFactor(service.keys.master)
    secret = factor.secret_for(asked.code)
    if people.is_accepted(row):
        if not people.password_is_right(row.password_hash, asked.password):
            raise Refused("enrolment_code_invalid", "the code was used with another password; ask for a new one")
    else:
        password_hash = people.hash_password(asked.password, row.user_id)
        sealed = factor.seal(row.user_id, secret)
        work = partial(people.accept, user_id=row.user_id, asked=asked, password_hash=password_hash, sealed=sealed)
        service.ledger.transact(work)
    return SecondFactorAnswer(user_id=row.user_id, otpauth_uri=people.otpauth_uri(row.user_id, secret))


# --- signing in and out ---------------------------------------------------------------------------------------


@router.post(
    "/sessions",
    status_code=201,
    summary="Sign in (登录)",
    responses=documented("not_json", "sign_in_failed", "other_origin", public=True),
    openapi_extra=takes(people.SignIn, SIGN_IN),
)
def sign_in(
    request: Request,
    response: Response,
    service: ServiceHere,
    asked: Annotated[people.SignIn, Depends(JsonBody(people.SignIn))],
) -> SessionAnswer:
    """Password and the number that the authenticator app shows now. After five wrong attempts the account is locked
    for a minute, then for twice as long each time. The answer does not tell which part was wrong."""
    require_own_page(request, may_be_absent=True)
    row = read_row(service.ledger.engine, LoginRow, asked.user_id)
    verified = _verified(row, asked.password)
    factor, secret = people.SecondFactor(service.keys.master), new_token()
    work: Any = partial(people.sign_in, asked=asked, verified_hash=verified, factor=factor, secret=secret)
    opened: people.Opened | None = service.ledger.transact(work)
    if opened is None:
        raise Refused("sign_in_failed", people.FAILED)
    request.state.account_id = opened.user_id
    _set_cookie(response, secret)
    return SessionAnswer(**opened._asdict())


def _verified(row: LoginRow | None, password: str) -> str | None:
    """The hash that the password was found right for."""
    password_hash = row.password_hash if row else None
    return password_hash if people.password_is_right(password_hash, password) else None


def _set_cookie(response: Response, secret: str) -> None:
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        SESSION_COOKIE, secret, max_age=ABSOLUTE_MS // 1000, path="/", secure=True, httponly=True,
        samesite="strict",
    )  # fmt: skip


def _clear_cookie(response: Response) -> None:
    response.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="strict")


@router.get("/sessions", summary="My sessions", responses=documented())
async def list_sessions(caller: Caller, service: ServiceHere) -> SessionList:
    """Those that are in force."""
    return SessionList(items=await service.commit(partial(people.own_sessions, caller=caller)))


@router.delete(
    "/sessions/current",
    summary="Sign out (退出)",
    responses=documented("session_needed", "idempotency_key_missing", "other_origin"),
)
async def sign_out(response: Response, caller: Caller, service: ServiceHere, _key: ActKey) -> SessionsEnded:
    """This session ends; the others stay."""
    _require_session(caller)
    session_id = people.session_id_of(caller.token_sha256)
    await service.commit(partial(people.end_session, caller=caller, session_id=session_id))
    _clear_cookie(response)
    return SessionsEnded(ended=1)


@router.delete(
    "/sessions/{session_id}",
    summary="End one of my sessions",
    responses=documented("not_found", "idempotency_key_missing", "other_origin"),
)
async def end_session(
    session_id: Annotated[Id, Path()], caller: Caller, service: ServiceHere, _key: ActKey
) -> SessionsEnded:
    """From the next request on it opens nothing, whichever process is asked."""
    await service.commit(partial(people.end_session, caller=caller, session_id=session_id))
    return SessionsEnded(ended=1)


@router.delete(
    "/sessions",
    summary="End all my sessions",
    responses=documented("idempotency_key_missing", "other_origin"),
)
async def end_all_sessions(response: Response, caller: Caller, service: ServiceHere, _key: ActKey) -> SessionsEnded:
    """This one too."""
    ended = await service.commit(partial(people.end_sessions, caller=caller))
    _clear_cookie(response)
    return SessionsEnded(ended=ended)


@router.post(
    "/me/password",
    summary="Change my password (修改密码)",
    responses=documented("not_json", "session_needed", "sign_in_failed", "password_weak", "other_origin"),
    openapi_extra=takes(people.PasswordChange, PASSWORD_CHANGE),
)
def change_password(
    caller: Caller,
    service: ServiceHere,
    asked: Annotated[people.PasswordChange, Depends(JsonBody(people.PasswordChange))],
) -> SessionsEnded:
    """All other sessions end. A wrong old password counts like a wrong attempt to sign in."""
    _require_session(caller)
    new_hash = people.hash_password(asked.new, caller.account_id)
    ended = service.ledger.transact(_changing(service, caller, asked.old, new_hash))
    if ended is None:
        raise Refused("sign_in_failed", people.FAILED)
    return SessionsEnded(ended=ended)


def _changing(service: Service, caller: Account, old: str, new_hash: str) -> Any:
    row = read_row(service.ledger.engine, LoginRow, caller.account_id)
    return partial(people.change_password, caller=caller, verified_hash=_verified(row, old), new_hash=new_hash)


def _require_session(caller: Account) -> None:
    if caller.started_at is None:
        raise Refused("session_needed", "this is for people who signed in; a token has no session and no password")


@router.get("/me", summary="Who I am, and what I may do", responses=documented())
async def get_me(caller: Caller) -> Me:
    """Of any token or session."""
    scope = caller.scope or " ".join(sorted(scopes_of(caller.role)))
    facts = caller.model_dump(include={"account_id", "role", "org_id", "district"})
    return Me(**facts, scope=scope, signed_in=caller.started_at is not None)
