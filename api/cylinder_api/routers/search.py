"""Lists of cylinders (清单) and the search for one (查询)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from cylinder_api.access import Caller
from cylinder_api.acts.searching import CylinderList, ListQuery, complete, search, shown
from cylinder_api.acts.visible import company_of
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["cylinders"])


@router.get(
    "/v1/cylinders",
    summary="Cylinders by name, stamp, sale, or by any conditions, page by page (查询、清单)",
    responses=documented("code_unreadable", "other_owner"),
)
def list_cylinders(
    query: Annotated[ListQuery, Query()], caller: Caller, service: ServiceHere, request: Request, response: Response
) -> CylinderList:
    """Companies and stations see their own company's cylinders, authorities all.

    `code`, `sale` and `order` are asked for alone and answered from the ledger itself.  All else comes from lists that
    follow the ledger; `complete_to` says how far.  Follow `next`, or the `Link` header, until there is none: a page may
    be short in between.
    """
    now = service.clock()
    found = search(service.ledger, query, company_of(service.ledger.reader, caller), now, service.settings.forms)
    if found.next is not None:
        url = request.url.include_query_params(cursor=found.next)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    items = [shown(row) for row in found.rows]
    return CylinderList(items=items, next=found.next, complete_to=complete(found.standing, now))
