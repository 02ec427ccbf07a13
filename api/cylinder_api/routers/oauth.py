"""Tokens for machines (RFC 6749 §4.4 client credentials, RFC 7523 private_key_jwt)."""

from functools import partial
from typing import Annotated, Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from cylinder_api.acts import assertions
from cylinder_api.acts.assertions import TOKEN_LIFE_MS, TokenRefused
from cylinder_api.bodies import read_body
from cylinder_api.problems import documented
from cylinder_api.service import Service, ServiceHere
from cylinder_api.tokens import new_token

router = APIRouter(tags=["tokens"])
PATH = "/oauth/token"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES = 16 * 1024
_MOST_FIELDS = 20


class TokenRequest(BaseModel):
    """The form of RFC 6749; fields that it does not know are left alone, as the standard wants it."""

    model_config = ConfigDict(frozen=True)

    grant_type: str
    client_assertion_type: str = ""
    client_assertion: str = ""
    client_id: str | None = None
    scope: str | None = None


class TokenAnswer(BaseModel):
    """A bearer token for fifteen minutes."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenError(BaseModel):
    """Why there is no token (RFC 6749 §5.2)."""

    error: str
    error_description: str


async def read_form(request: Request) -> TokenRequest:
    """The form in the body; raises TokenRefused, and Refused for one that is too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise TokenRefused("invalid_request", f"send Content-Type: {_FORM}")
    body = await read_body(request, _MOST_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=_MOST_FIELDS, errors="strict")
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise TokenRefused("invalid_request", "a field stands in the form twice; name it once")
        return TokenRequest.model_validate(dict(pairs))
    except (ValueError, ValidationError) as error:
        raise TokenRefused("invalid_request", "the body is not a form with grant_type and client_assertion") from error


def _refusal(error: str) -> dict[str, Any]:
    example = {"error": error, "error_description": "one sentence, without what was sent"}
    return {"model": TokenError, "content": {"application/json": {"example": example}}}


_RESPONSES: dict[int | str, dict[str, Any]] = {
    **{code: found for code, found in documented(public=True).items() if code in (413, 429, 503)},
    400: {"description": "`invalid_request`, `unsupported_grant_type`, `invalid_scope`", **_refusal("invalid_request")},
    401: {
        "description": "`invalid_client`: no such client, or its assertion does not hold",
        **_refusal("invalid_client"),
    },
}
_FORM_EXAMPLE = {
    "grant_type": "client_credentials",
    "client_assertion_type": _ASSERTION_TYPE,
    "client_assertion": "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJkZXZfLi4uIn0.c2lnbmF0dXJl",
    "scope": "fill:check",
}
_FORM_SCHEMA = {
    "type": "object",
    "required": ["grant_type", "client_assertion_type", "client_assertion"],
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_assertion_type": {"const": _ASSERTION_TYPE},
        "client_assertion": {"type": "string", "description": "A JWT signed with EdDSA or ES256."},
        "client_id": {"type": "string"},
        "scope": {"type": "string", "description": "What the token is to be good for, words parted by blanks."},
    },
}


@router.post(
    PATH,
    summary="A token for a machine, for a signed assertion",
    response_model=TokenAnswer,
    responses=_RESPONSES,
    openapi_extra={
        "requestBody": {"required": True, "content": {_FORM: {"schema": _FORM_SCHEMA, "example": _FORM_EXAMPLE}}}
    },
)
async def issue_token(
    request: Request, service: ServiceHere, asked: Annotated[TokenRequest, Depends(read_form)]
) -> Response:
    """`iss` and `sub` are the client's id (a device's is its device id), `aud` this service, `exp` at most five minutes
    ahead, `jti` new each time. An assertion opens nothing a second time."""
    _require_supported(asked)
    proof = await run_in_threadpool(_proof, service, asked)
    request.state.account_id = proof.machine.client_id
    token = new_token()
    work = partial(assertions.grant_token, proof=proof, asked_scope=asked.scope, token=token)
    granted = await service.commit(work)
    answer = TokenAnswer(
        access_token=token, token_type="Bearer", expires_in=TOKEN_LIFE_MS // 1000, scope=granted.scope  # noqa: S106
    )  # fmt: skip
    return _never_kept(Response(answer.model_dump_json(), media_type="application/json"))


def _require_supported(asked: TokenRequest) -> None:
    if asked.grant_type != "client_credentials":
        raise TokenRefused("unsupported_grant_type", "only grant_type=client_credentials is given here")
    if asked.client_assertion_type != _ASSERTION_TYPE or not asked.client_assertion:
        raise TokenRefused("invalid_client", f"send a client_assertion, with client_assertion_type={_ASSERTION_TYPE}")


def _proof(service: Service, asked: TokenRequest) -> assertions.Proof:
    client_id = assertions.named_client(asked.client_assertion)
    if asked.client_id not in (None, client_id):
        raise TokenRefused("invalid_client", "client_id is not who signed the assertion")
    machine = assertions.find_machine(service.ledger.engine, service.ledger.reader, client_id)
    return assertions.verify_assertion(asked.client_assertion, machine, audiences(service), service.clock())


def audiences(service: Service) -> list[str]:
    """The names that an assertion may be meant for. Never the Host that a request claims: anybody can claim one."""
    public = service.settings.public_url
    return [service.keys.log.name, *([public, f"{public}{PATH}"] if public else [])]


async def token_refused(_request: Request, error: Exception) -> Response:
    """TokenRefused as the standard wants it told."""
    assert isinstance(error, TokenRefused)  # noqa: S101 - Starlette hands over what was registered
    body = orjson.dumps({"error": error.error, "error_description": error.description})
    is_client = error.error == "invalid_client"
    answer = Response(body, 401 if is_client else 400, media_type="application/json")
    if is_client:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return _never_kept(answer)


def _never_kept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
