"""What makes a station fit to fill (充装条件), as an authority states it: licence, scales, certificates."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import permitting
from cylinder_api.acts.districts import first_in_district, in_district
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import CERTIFICATE, SCALE_VERIFICATION, STATION_LICENCE
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["supervision"])
_USUAL = ("not_json", "id_conflict", "occurred_in_future", "other_district")


@router.post(
    "/v1/station-licences",
    status_code=201,
    summary="A station's filling licence as given, changed or suspended (充装许可)",
    response_model=Recorded,
    responses=documented(*_USUAL),
    openapi_extra=takes(permitting.StationLicence, STATION_LICENCE),
)
async def license_station(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[permitting.StationLicence, Depends(JsonBody(permitting.StationLicence))],
) -> Any:
    """A suspension is pushed like a mark: the very next check at the station is refused."""
    work = partial(permitting.license_station, act=act, authority_id=caller.org_id, by=caller.account_id)
    return await service.record(first_in_district(caller, act.station_id, work))


@router.post(
    "/v1/scale-verifications",
    status_code=201,
    summary="A filling scale was verified (秤检定)",
    response_model=Recorded,
    responses=documented(*_USUAL, "station_unknown"),
    openapi_extra=takes(permitting.ScaleVerification, SCALE_VERIFICATION),
)
async def verify_scale(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[permitting.ScaleVerification, Depends(JsonBody(permitting.ScaleVerification))],
) -> Any:
    """Until its last day the scale may weigh fills; a lock on it stands all the same."""
    work = partial(permitting.verify_scale, act=act, authority_id=caller.org_id, by=caller.account_id)
    return await service.record(in_district(caller, work))


@router.post(
    "/v1/certificates",
    status_code=201,
    summary="A person's certificate as given, changed, suspended or revoked (证书变更)",
    response_model=Recorded,
    responses=documented(*_USUAL, "station_unknown"),
    openapi_extra=takes(permitting.Certificate, CERTIFICATE),
)
async def record_certificate(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[permitting.Certificate, Depends(JsonBody(permitting.Certificate))],
) -> Any:
    """A filler's counts at every station where they fill; a suspension reaches each of them in the same act."""
    work = partial(permitting.record_certificate, act=act, authority_id=caller.org_id, by=caller.account_id)
    return await service.record(first_in_district(caller, act.station_id, work))
