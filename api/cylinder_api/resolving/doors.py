"""How public answers go out (应答方式): open to pages of every site, refusals as calm pages for people."""

from collections.abc import Awaitable, Callable
from functools import wraps

from fastapi import Request, Response

from cylinder_api.catalogue import WORDS, title_of
from cylinder_api.limits import Limits, address_of
from cylinder_api.problems import problem
from cylinder_api.refusals import KINDS, Refused
from cylinder_api.resolving.asking import Label, best_of, read_wish
from cylinder_api.resolving.finding import Found
from cylinder_api.resolving.pages import error_page
from cylinder_api.resolving.sheet import HEADERS
from cylinder_api.sentences import chinese_of
from cylinder_api.service import Service
from cylinder_codes.schemes import LEGACY_SCHEMES

Door = Callable[[Request], Awaitable[Response]]
HTML, JSON = "text/html", "application/json"
VARY = "Accept, Accept-Language"
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
"""Public data, asked for without cookies: a page of any site may read it."""
OPEN = {
    **ANY_ORIGIN,
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Expose-Headers": "Link, Location",
}
"""The same where links are chosen, with what GS1 looks for there."""
_PREFLIGHT = {
    **OPEN,
    "Allow": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Accept-Language, If-None-Match",
    "Access-Control-Max-Age": "86400",
}
_PROBLEM = "application/problem+json"


def public_door(answer: Door) -> Door:
    """A route that everybody may call: answers OPTIONS, and tells a refusal to people as a page, with its status."""

    @wraps(answer)
    async def opened(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        try:
            return await answer(request)
        except Refused as refused:
            return _refusal(request, refused)

    return opened


def _refusal(request: Request, refused: Refused) -> Response:
    headers = {**OPEN, "Vary": VARY, "Cache-Control": "no-store"}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(refused.retry_after_s)
    wish = read_wish(request)
    if best_of((_PROBLEM, JSON, HTML), wish.accept) != HTML:
        return problem(request, refused.code, refused.detail, headers=headers, detail_zh=refused.detail_zh)
    zh, words = wish.language == "zh-CN", WORDS[refused.code]
    sentence = (refused.detail_zh or chinese_of(refused.code, refused.detail) or "") if zh else refused.detail
    step = words.next_zh if zh else words.next_en
    page = error_page(title_of(refused.code, wish.language), sentence, step, wish.language)
    headers |= {**HEADERS, "Content-Language": wish.language}
    return Response(page, KINDS[refused.code].status, headers, HTML)


async def find(request: Request, label: Label) -> Found:
    """What a label leads to; raises Refused (404, 429).

    Whoever tries out codes is slowed down: numbers from before can be counted through, so each of them is an attempt,
    and so is every code that leads nowhere. Known and unknown ones take the same way to their answer.
    """
    limits: Limits = request.app.state.limits
    service: Service = request.app.state.service
    address, can_be_guessed = address_of(request), label.code.scheme in LEGACY_SCHEMES
    (limits.take if can_be_guessed else limits.require_left)("attempts", address)
    found = await service.labels.get(label.code.text)
    if found is None:
        if not can_be_guessed:
            limits.take("attempts", address)
        raise Refused("cylinder_unknown", "no cylinder is on file under this code")
    return found
