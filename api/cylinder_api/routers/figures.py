"""The monthly figures that a regulator asks for (月报)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from cylinder_api.access import Caller
from cylinder_api.acts.figures import FiguresQuery, MonthlyFigures, as_table, monthly_figures
from cylinder_api.acts.visible import company_of
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["supervision"])
_CSV = "text/csv"


@router.get(
    "/v1/figures",
    summary="A month's figures: stock, refusals, fills, inspections, sales, scrapping (月报)",
    response_model=MonthlyFigures,
    responses={**documented("other_owner"), 200: {"content": {_CSV: {"schema": {"type": "string"}}}}},
)
def get_figures(query: Annotated[FiguresQuery, Query()], caller: Caller, service: ServiceHere, request: Request) -> Any:
    """All of the land, or of a district, a company or a station; `by` gives a row for each. A company sees its own.

    `Accept: text/csv` gives them as a table.  The sums follow the ledger; `complete_to` says how far.
    """
    company_id = company_of(service.ledger.reader, caller)
    if company_id is not None and query.company not in (None, company_id):
        raise Refused("other_owner", "a company sees its own figures")
    figures = monthly_figures(service.ledger, query, company_id, service.clock())
    if _CSV not in request.headers.get("accept", ""):
        return figures
    named = {"Content-Disposition": f'attachment; filename="figures-{query.month}.csv"'}
    return Response(as_table(figures), media_type=_CSV, headers=named)
