"""Which stations' devices are connected (设备在线)."""

from fastapi import APIRouter
from pydantic import BaseModel

from cylinder_api.access import Account, Caller
from cylinder_api.presence import Present
from cylinder_api.problems import documented
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.station import StationState

router = APIRouter(prefix="/v1/presence", tags=["stations"])


class PresentDevice(BaseModel):
    """A device whose stream is open."""

    device_id: str
    station_id: str
    since: int
    """When the stream began, UTC ms."""
    data_as_of: int
    """When the database was read for what the device was told last, UTC ms."""
    unsent: int | None
    """Records that waited at the device when the stream began; absent where it did not say."""


class PresentDevices(BaseModel):
    """Every device that is connected, by station and id."""

    items: list[PresentDevice]


@router.get("", summary="Devices that are connected (设备在线)", responses=documented())
def list_present_devices(caller: Caller, service: ServiceHere) -> PresentDevices:
    """A manager sees the own station, an authority its district. To look at: who is missing may be filling offline."""
    seen = [one for one in service.presence.connected() if _may_see(service, caller, one)]
    return PresentDevices(items=[PresentDevice(**one._asdict()) for one in seen])


def _may_see(service: Service, caller: Account, device: Present) -> bool:
    if caller.role == "manager":
        return device.station_id == caller.org_id
    if caller.district is None:
        return True
    station = service.ledger.reader.state(f"station/{device.station_id}")
    region = station.region if isinstance(station, StationState) else None
    return region is not None and region.startswith(caller.district)
