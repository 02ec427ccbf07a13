"""People who sign in (登录): invited with a one-time code, then by password and a second factor, with a lock-out.

    invited → code → password chosen, second factor shown → signs in: password + number → session

The password is kept as argon2id, the second factor's secret sealed with a key from the master key, the session as the
SHA-256 of its secret. Wrong attempts are counted in the database, so that all processes count together.
"""

import base64
import hmac
import os
import threading
from functools import cache
from hashlib import sha256
from typing import Annotated, NamedTuple
from unicodedata import normalize

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, Field
from sqlalchemy import Engine, select

from cylinder_api.access import IDLE_MS, Account, Role
from cylinder_api.acts.clients import DEVICE_PREFIX, District
from cylinder_api.refusals import Refused
from cylinder_api.tokens import SECOND_FACTOR, derived_key
from cylinder_trace.store.accounts import forget_ended, revoke_tokens, secret_sha256, tokens_of
from cylinder_trace.store.tables import AccountRow, AssertionRow, ClientRow, LoginRow
from cylinder_trace.store.unit import IdConflict, Unit
from cylinder_trace.values import Frozen, Id, Instant

INVITATION_LIFE_MS = 3 * 24 * 3_600_000
SHORTEST_PASSWORD = 12
FREE_FAILURES = 5
"""Wrong attempts before the account is locked for a while; each further one doubles the while."""
FIRST_LOCK_MS = 60_000
LONGEST_LOCK_MS = 3_600_000
_STEP_MS = 30_000
_ISSUER = "PingLian 瓶链"
_USED = "used:"
_NONCE_BYTES = 12
_TOTP_BYTES = 20
_login = LoginRow.__table__  # type: ignore[attr-defined]

# OWASP's first choice: 19 MiB and two rounds. The memory is a worker's own, so only two are worked out at once.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_two_at_once = threading.BoundedSemaphore(2)


@cache
def _nobodys() -> str:
    """What the password of a user who does not exist is compared with: the same work for the same answer."""
    return _hasher.hash(os.urandom(16).hex())


Password = Annotated[str, Field(min_length=1, max_length=128)]
FAILED = "user, password or number is wrong, or the account is locked for a while; wait, then try again"


class NewUser(Frozen):
    """A person who is to sign in (邀请用户)."""

    user_id: Id
    role: Role
    org_id: Id
    district: District | None = None
    """For an authority: where it acts, the front of an administrative code."""


class InvitationAccepted(Frozen):
    """The one-time code, and the password that the person chooses."""

    code: Annotated[str, Field(max_length=80)]
    password: Password


class SignIn(Frozen):
    """Who, with the password and the number that their app shows now."""

    user_id: Id
    password: Password
    totp: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class PasswordChange(Frozen):
    """The password until now, and the new one."""

    old: Password
    new: Password


class UserItem(BaseModel):
    """A person who was invited; never anything secret."""

    user_id: str
    role: str
    org_id: str
    district: str | None
    signs_in: bool
    """Whether they have chosen a password and may sign in."""
    invited_until: Instant | None
    locked_until: Instant | None
    revoked_at: Instant | None


class SessionItem(BaseModel):
    """A session of one's own."""

    session_id: str
    started_at: Instant
    expires_at: Instant
    current: bool


class Opened(NamedTuple):
    """A session that has begun."""

    user_id: str
    role: str
    org_id: str
    expires_at: int


# --- inviting -------------------------------------------------------------------------------------------------


def invite(unit: Unit, asked: NewUser, code: str, inviter: Account | None = None) -> int:
    """Let the person choose a password with `code` (shown once); until when. Whoever is invited again begins anew.

    `inviter` is None at the command line. Raises Refused, and IdConflict for an id of somebody else.
    """
    _require_may_invite(inviter, asked)
    row = unit.find(LoginRow, asked.user_id)
    if row is None:
        _require_free(unit, asked.user_id)
        row = LoginRow(user_id=asked.user_id, role=asked.role, org_id=asked.org_id, district=asked.district)
    if (row.role, row.org_id, row.district) != (asked.role, asked.org_id, asked.district):
        raise IdConflict(f"user {asked.user_id} is invited as somebody else; take another id")
    hashed = secret_sha256(code)
    if row.invitation_sha256 in (hashed, _USED + hashed) and row.invited_until is not None:
        return row.invited_until  # sent again
    until = unit.now + INVITATION_LIFE_MS
    change = {"invitation_sha256": hashed, "invited_until": until, "revoked_at": None}
    unit.put(row.model_copy(update=change))
    return until


def _require_may_invite(inviter: Account | None, asked: NewUser) -> None:
    if asked.role == "station":
        raise Refused("invalid", "/body/role: a station's device enrols with a code for devices")
    if inviter is not None and inviter.role == "manager":
        if asked.role not in ("filler", "checker"):
            raise Refused("not_allowed", "a station manager lets fillers and checkers in; an admin the others")
        if asked.org_id != inviter.org_id:
            raise Refused("other_station", f"this token speaks for station {inviter.org_id}")


def _require_free(unit: Unit, user_id: str) -> None:
    taken = unit.find(ClientRow, user_id) or tokens_of(unit, user_id)
    if taken or user_id.startswith(DEVICE_PREFIX):
        raise IdConflict(f"{user_id} is the id of a system, a device or a token; take another one for the person")


def accept(unit: Unit, user_id: str, asked: InvitationAccepted, password_hash: str, sealed: bytes) -> None:
    """Take over password and second factor; raises Refused for a code that does not open this login any more."""
    row = unit.find(LoginRow, user_id)
    if row is None or row.invitation_sha256 != secret_sha256(asked.code) or not _is_open(row, unit.now):
        raise _code_invalid()
    change = {
        "password_hash": password_hash,
        "totp_sealed": sealed,
        "totp_used": None,
        "invitation_sha256": f"{_USED}{row.invitation_sha256}",
        "failures": 0,
        "locked_until": None,
    }
    unit.put(row.model_copy(update=change))
    revoke_tokens(unit, user_id)


def find_invited(engine: Engine, code: str, now: int) -> LoginRow:
    """Whom the code invites, or has invited and who has not signed in since; raises Refused."""
    hashed = secret_sha256(code)
    query = select(_login).where(_login.c.invitation_sha256.in_((hashed, _USED + hashed)))
    with engine.connect() as connection:
        found = connection.execute(query).one_or_none()
    row = LoginRow(**found._mapping) if found else None
    if row is None or not _is_open(row, now) or (row.totp_used is not None and is_accepted(row)):
        raise _code_invalid()
    return row


def is_accepted(row: LoginRow) -> bool:
    """Whether the newest invitation was taken up."""
    return (row.invitation_sha256 or "").startswith(_USED)


def _is_open(row: LoginRow, now: int) -> bool:
    return row.revoked_at is None and row.invited_until is not None and now < row.invited_until


def _code_invalid() -> Refused:
    return Refused("enrolment_code_invalid", "the code is unknown, used or too old; ask for a new one")


# --- secrets --------------------------------------------------------------------------------------------------


def hash_password(password: str, user_id: str) -> str:
    """The password as it is kept; raises Refused for one that is short or says the user's id."""
    plain = normalize("NFC", password)
    if len(plain) < SHORTEST_PASSWORD:
        raise Refused("password_weak", f"take at least {SHORTEST_PASSWORD} characters; several words are easy to keep")
    if user_id.casefold() in plain.casefold():
        raise Refused("password_weak", "the password must not hold the user's id")
    with _two_at_once:
        return _hasher.hash(plain)


def password_is_right(password_hash: str | None, password: str) -> bool:
    """Whether it is the password; for nobody's hash the same work is done, and the answer is no."""
    with _two_at_once:
        try:
            _hasher.verify(password_hash or _nobodys(), normalize("NFC", password))
        except (Argon2Error, InvalidHashError):
            return False
    return password_hash is not None


class SecondFactor:
    """Second factors (TOTP, RFC 6238) of one installation: derived from the code that invited, sealed when kept."""

    def __init__(self, master: bytes) -> None:
        self._master = derived_key(master, SECOND_FACTOR)

    def secret_for(self, code: str) -> str:
        """The secret that belongs to an invitation's code: the same when it is asked for again."""
        drawn = hmac.digest(self._master, f"totp {code}".encode(), "sha256")[:_TOTP_BYTES]
        return base64.b32encode(drawn).decode()

    def seal(self, user_id: str, secret: str) -> bytes:
        """The secret as it is kept."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._master).encrypt(nonce, secret.encode(), user_id.encode())

    def step_shown(self, row: LoginRow, number: str, now: int) -> int | None:
        """The time step whose number this is, if it was not shown before; one step early or late is taken too."""
        if row.totp_sealed is None:
            return None
        sealed, current = row.totp_sealed, now // _STEP_MS
        secret = AESGCM(self._master).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.user_id.encode())
        totp = pyotp.TOTP(secret.decode())
        steps = (step for step in (current - 1, current, current + 1) if step > (row.totp_used or 0))
        found = [step for step in steps if hmac.compare_digest(totp.at(step * _STEP_MS // 1000), number)]
        return found[0] if found else None


def otpauth_uri(user_id: str, secret: str) -> str:
    """What an authenticator app reads, as a link or a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=user_id, issuer_name=_ISSUER)


# --- signing in -----------------------------------------------------------------------------------------------


def sign_in(unit: Unit, asked: SignIn, verified_hash: str | None, factor: SecondFactor, secret: str) -> Opened | None:
    """Open a session with `secret` (fresh and random), or count a wrong attempt and answer None.

    `verified_hash` is the hash that the password was found right for; it is not in force any more if it was changed.
    """
    # Written for known and unknown users alike, so that both take as long.
    attempt = sha256(f"attempt {asked.user_id}".encode()).hexdigest()
    unit.put(AssertionRow(assertion_sha256=attempt, expires_at=unit.now))
    row = unit.find(LoginRow, asked.user_id)
    if row is None or row.revoked_at is not None or (row.locked_until or 0) > unit.now:
        return None
    right = verified_hash is not None and verified_hash == row.password_hash
    step = factor.step_shown(row, asked.totp, unit.now) if right else None
    if step is None:
        unit.put(_failed(row, unit.now))
        return None
    unit.put(row.model_copy(update={"failures": 0, "locked_until": None, "totp_used": step}))
    return _open_session(unit, row, secret)


def _failed(row: LoginRow, now: int) -> LoginRow:
    failures = row.failures + 1
    over = failures - FREE_FAILURES
    locked_until = now + min(FIRST_LOCK_MS * 2 ** min(over, 20), LONGEST_LOCK_MS) if over >= 0 else None
    return row.model_copy(update={"failures": failures, "locked_until": locked_until})


def _open_session(unit: Unit, row: LoginRow, secret: str) -> Opened:
    forget_ended(unit, row.user_id)
    expires_at = unit.now + IDLE_MS
    session = AccountRow(
        token_sha256=secret_sha256(secret), account_id=row.user_id, role=row.role, org_id=row.org_id,
        district=row.district, expires_at=expires_at, started_at=unit.now,
    )  # fmt: skip
    unit.put(session)
    return Opened(row.user_id, row.role, row.org_id, expires_at)


def change_password(unit: Unit, caller: Account, verified_hash: str | None, new_hash: str) -> int | None:
    """Take the new password and end the caller's other sessions: how many. None for a wrong old one, which counts."""
    row = unit.find(LoginRow, caller.account_id)
    if row is None or (row.locked_until or 0) > unit.now:
        return None
    if verified_hash is None or verified_hash != row.password_hash:
        unit.put(_failed(row, unit.now))
        return None
    unit.put(row.model_copy(update={"password_hash": new_hash, "failures": 0}))
    return revoke_tokens(unit, caller.account_id, keep=(caller.token_sha256,))


# --- sessions and users ---------------------------------------------------------------------------------------


def session_id_of(token_sha256: str) -> str:
    """What a session is called in answers: part of a hash, from which nobody gets back to the secret."""
    return f"ses_{token_sha256[:20]}"


def own_sessions(unit: Unit, caller: Account) -> list[SessionItem]:
    """The caller's sessions that are in force, the newest first."""
    rows = [row for row in tokens_of(unit, caller.account_id) if row.started_at and row.revoked_at is None]
    items = [
        SessionItem(
            session_id=session_id_of(row.token_sha256),
            started_at=row.started_at,
            expires_at=row.expires_at,
            current=row.token_sha256 == caller.token_sha256,
        )
        for row in rows
        if row.started_at is not None and row.expires_at is not None and row.expires_at > unit.now
    ]
    return sorted(items, key=lambda item: item.started_at, reverse=True)


def end_session(unit: Unit, caller: Account, session_id: str) -> None:
    """End one of the caller's own sessions; raises Refused for no such one."""
    rows = [row for row in tokens_of(unit, caller.account_id) if row.started_at is not None]
    row = next((row for row in rows if session_id_of(row.token_sha256) == session_id), None)
    if row is None:
        raise Refused("not_found", "you have no session of this id")
    if row.revoked_at is None:
        unit.put(row.model_copy(update={"revoked_at": unit.now}))


def end_sessions(unit: Unit, caller: Account) -> int:
    """End every session of the caller, this one too; tokens stay. How many there were."""
    rows = [row for row in tokens_of(unit, caller.account_id) if row.started_at and row.revoked_at is None]
    for row in rows:
        unit.put(row.model_copy(update={"revoked_at": unit.now}))
    return len(rows)


def lock_user(unit: Unit, user_id: str, by: Account | None = None) -> UserItem:
    """Let the person in no more, and end whatever they have open; only a new invitation lets them in again."""
    row = unit.find(LoginRow, user_id)
    if row is None or (by is not None and not _may_see(by, row)):
        raise Refused("user_unknown", "no such user is on file; see the list of users")
    if row.revoked_at is None:
        row = row.model_copy(update={"revoked_at": unit.now, "invited_until": None})
        unit.put(row)
    revoke_tokens(unit, user_id)
    return item_of(row)


def list_users(engine: Engine, caller: Account | None = None) -> list[UserItem]:
    """Everybody who was invited, by id; a station manager sees the station's fillers and checkers."""
    with engine.connect() as connection:
        rows = [LoginRow(**row._mapping) for row in connection.execute(select(_login).order_by(_login.c.user_id))]
    return [item_of(row) for row in rows if caller is None or _may_see(caller, row)]


def _may_see(caller: Account, row: LoginRow) -> bool:
    own = row.org_id == caller.org_id and row.role in ("filler", "checker")
    return caller.role == "admin" or (caller.role == "manager" and own)


def item_of(row: LoginRow) -> UserItem:
    """The row as it is shown."""
    shown = {name: getattr(row, name) for name in UserItem.model_fields if name != "signs_in"}
    return UserItem(**shown, signs_in=row.password_hash is not None and row.revoked_at is None)
