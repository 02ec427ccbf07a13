"""Is the service alive, and can it record?"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Health):
    """The ledger answers: entries recorded, and entries under the newest published checkpoint."""

    entries: int
    published: int


@router.get("/healthz", summary="The process answers", responses=documented(public=True))
async def get_health() -> Health:
    """Asks nothing of the database."""
    return Health()


@router.get("/readyz", summary="The ledger answers", responses=documented(public=True))
def get_readiness(service: ServiceHere) -> Readiness:
    """Reads the database; 503 while it does not answer."""
    newest = service.ledger.reader.checkpoint()
    return Readiness(entries=service.ledger.reader.size(), published=newest[0] if newest else 0)
