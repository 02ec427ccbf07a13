"""The HTTP door: routes, problems, logs, and the feed of changes that runs beside them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Depends, FastAPI, Request, Response

from cylinder_api.access_log import AccessLog
from cylinder_api.acts.assertions import TokenRefused
from cylinder_api.bodies import openapi_of
from cylinder_api.direct import Direct
from cylinder_api.idempotency import Acts, KeepAnswers, Replay
from cylinder_api.limits import Limits, limit_public
from cylinder_api.metrics import Metrics
from cylinder_api.problems import install_handlers
from cylinder_api.routers import (
    alarms,
    authority_keys,
    clients,
    corrections,
    custody,
    customers,
    cylinders,
    devices,
    disputes,
    epcis_capture,
    epcis_named,
    epcis_query,
    figures,
    fills,
    flags,
    health,
    imports,
    inspections,
    log,
    lots,
    making,
    monitoring,
    oauth,
    people,
    permits,
    presence,
    problem_pages,
    recalls,
    reports,
    resolver,
    retags,
    sales,
    search,
    stations,
    transfers,
    webhooks,
)
from cylinder_api.service import Service
from cylinder_api.serving import Bounded

ROUTERS = (
    fills,
    stations,
    search,
    cylinders,
    resolver,
    figures,
    sales,
    customers,
    inspections,
    custody,
    flags,
    authority_keys,
    presence,
    recalls,
    disputes,
    alarms,
    permits,
    lots,
    making,
    corrections,
    transfers,
    retags,
    reports,
    imports,
    devices,
    clients,
    webhooks,
    people,
    oauth,
    log,
    epcis_capture,
    epcis_named,
    epcis_query,
    problem_pages,
    monitoring,
    health,
)
_DESCRIPTION = (
    "One bottle, one code: the ledger of gas cylinders. Masses are grams, instants UTC milliseconds, both integers. "
    "A refusal to fill is an answer (200, outcome DENY); problems are for what could not be decided or recorded."
)


def create_app(service: Service) -> FastAPI:
    """The app over an open service, which it closes when it ends."""
    app = FastAPI(
        title="PingLian 瓶链",
        version="0.1.0",
        summary="Admission, traceability and tamper-evidence for gas cylinders",
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,  # the usual pages load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.acts = Acts(service)
    # Documents that are looked through at the same time: each takes memory of many times its size.
    app.state.epcis_slots = asyncio.Semaphore(2)
    app.state.imports = {}  # how far each is that this process works on
    app.state.limits = Limits(service.settings.rates, service.settings.redis_url, service.clock)
    app.state.metrics = Metrics(service)
    app.state.connections = lambda: 0  # a server says how many are open
    for module in ROUTERS:
        app.include_router(module.router, dependencies=[Depends(limit_public)])
    install_handlers(app)
    app.add_exception_handler(Replay, _answer_again)
    app.add_exception_handler(TokenRefused, oauth.token_refused)
    app.add_middleware(KeepAnswers)
    app.add_middleware(Bounded)
    app.add_middleware(AccessLog)
    _own_openapi(app)
    app.router.middleware_stack = Direct(app, app.router.middleware_stack)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    feed = asyncio.create_task(service.feed.run())
    service.follower.start()
    service.epcis.start()
    service.captures.start()
    service.subscriptions.start()
    service.deliverer.start()
    service.dead_codes.start()
    limits: Limits = app.state.limits
    limits.start()
    try:
        yield
    finally:
        await asyncio.to_thread(limits.stop)
        service.feed.stop()
        await feed
        await asyncio.to_thread(service.close)


async def _answer_again(_request: Request, replay: Exception) -> Response:
    assert isinstance(replay, Replay)  # noqa: S101 - Starlette hands over what was registered
    return Response(replay.answer, replay.status, media_type="application/json")


def _own_openapi(app: FastAPI) -> None:
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(openapi_of(app))
        return document

    app.openapi = openapi  # type: ignore[method-assign]
