"""Is the service alive, and can it record?"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from cylinder_api.problems import documented
from cylinder_api.service import Service, ServiceHere

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The ledger answers: entries recorded, and entries under the newest published checkpoint."""

    status: Literal["ok", "alarm"]
    entries: int
    published: int
    alarm: str | None = None
    """What a person must look at, although the service goes on."""


@router.get("/healthz", summary="The process answers", responses=documented(public=True))
async def get_health() -> Health:
    """Asks nothing of the database."""
    return Health()


@router.get("/readyz", summary="The ledger answers", responses=documented(public=True))
def get_readiness(service: ServiceHere) -> Readiness:
    """Reads the database; 503 while it does not answer.

    That publishing has halted, because what is stored is not what was recorded, and a fork alarm 分叉报警 are told here
    and change nothing else: stations go on being answered, for a refused cylinder
    check helps nobody while people find out which of two histories is the true one.
    """
    newest = service.ledger.reader.checkpoint()
    published, alarm = newest[0] if newest else 0, service.ledger.publisher.halted or _fork_alarm(service)
    status: Literal["ok", "alarm"] = "alarm" if alarm else "ok"
    return Readiness(status=status, entries=service.ledger.reader.size(), published=published, alarm=alarm)


def _fork_alarm(service: Service) -> str | None:
    alarms = service.ledger.publisher.alarms()
    if not alarms:
        return None
    # the file's name and nothing more: whoever may read what a witness said has the folder
    return (
        f"FORK ALARM 分叉报警: a witness has seen another history of this log, mostly because an old backup was put "
        f"back; compare with the witness, then move alarms/{alarms[0].name} away ({len(alarms)} there)"
    )
