"""Numbers for whoever runs the service."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response
from fastapi.security import HTTPAuthorizationCredentials

from cylinder_api.access import account_of, bearer
from cylinder_api.metrics import MEDIA_TYPE, Metrics
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["health"])


async def monitor(
    request: Request,
    service: ServiceHere,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> None:
    """Who may read: METRICS_TOKEN, which needs no database, or an admin's or auditor's token. Raises Refused."""
    wanted, shown = service.settings.metrics_token, credentials.credentials if credentials else ""
    if wanted is None or not hmac.compare_digest(shown.encode(), wanted.encode()):
        await account_of(request, service, credentials)


@router.get(
    "/metrics",
    summary="Numbers of this process for Prometheus",
    response_class=PlainTextResponse,
    dependencies=[Depends(monitor)],
    responses=documented(),
)
def get_metrics(request: Request) -> Response:
    """Latencies by route and status, age of the ledger, what waits, open streams. Not for the public."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=MEDIA_TYPE)
