"""Who fills and delivers: companies, filling stations, delivery points, delivery workers, districts.

Station ids: `st_01` is the main station of company `co_01`, `st_01_1` its branch. `st_01` is the station that
demonstrations play at: eight verified scales `sc_01_1` … `sc_01_8`, one whose verification has run out
(`sc_01_9`), one locked by the regulator (`sc_01_10`), six certified fillers `fl_01_1` … `fl_01_6`, and
`fl_01_9`, whose certificate has run out. The licence of `st_07_1` is suspended.
"""

from dataclasses import dataclass

from cylinder_api.town.plan import Figures

REGION = "示例市"
DEMO_COMPANY = "co_01"
DEMO_STATION = "st_01"
SUSPENDED_STATION = "st_07_1"
SCALE_OUT_OF_DATE = "sc_01_9"
SCALE_LOCKED = "sc_01_10"
FILLER_OUT_OF_DATE = "fl_01_9"
REGULATOR = "au_01"
INSPECTION_BODIES = ("ib_01", "ib_02")
FOREIGN_COMPANY = "co_elsewhere_01"
"""A company of another city; its cylinders turn up here, its stations do not."""

_NUMERALS = "一二三四五六七"
_SHARES = (34, 16, 13, 11, 10, 9, 7)
"""Each company's part of the cylinders, in percent."""
_WITH_BRANCH = (1, 2, 3, 5, 7)
_BRANCH_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Company:
    """A bottled-gas company (瓶装燃气企业) and its part of the town's cylinders in percent."""

    company_id: str
    name: str
    share: int


@dataclass(frozen=True, slots=True)
class Station:
    """A filling station (充装站); scales and fillers listed here are the ones in good order."""

    station_id: str
    company_id: str
    name: str
    scale_ids: tuple[str, ...]
    """Scale of lane 1, 2, 3 …"""
    filler_ids: tuple[str, ...]
    fleet_percent: int
    """How much of its company's fleet comes back to this station."""


@dataclass(frozen=True, slots=True)
class DeliveryPoint:
    """A delivery point (配送点) of a company."""

    point_id: str
    company_id: str
    name: str


@dataclass(frozen=True, slots=True)
class DeliveryWorker:
    """A delivery worker (送气工), known here by number alone."""

    worker_id: str
    point_id: str
    company_id: str


@dataclass(frozen=True, slots=True)
class District:
    """A grid cell of supervision: an area (片区) or a street (街区)."""

    district_id: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Organisations:
    """All organisations of a town."""

    companies: tuple[Company, ...]
    stations: tuple[Station, ...]
    points: tuple[DeliveryPoint, ...]
    workers: tuple[DeliveryWorker, ...]
    districts: tuple[District, ...]

    def station(self, station_id: str) -> Station:
        """The station of that id; KeyError if there is none."""
        return {station.station_id: station for station in self.stations}[station_id]


def make_organisations(figures: Figures) -> Organisations:
    """The organisations of a town of these figures; they depend on nothing else."""
    companies = tuple(_company(number) for number in range(1, figures.companies + 1))
    points = tuple(_point(index, figures.companies) for index in range(figures.delivery_points))
    return Organisations(
        companies=companies,
        stations=tuple(station for number in range(1, 8) for station in _stations_of(number)),
        points=points,
        workers=tuple(_worker(index, points) for index in range(figures.delivery_workers)),
        districts=(*_districts("area", "片区", figures.areas), *_districts("street", "街区", figures.streets)),
    )


def _company(number: int) -> Company:
    name = f"演示燃气{_NUMERALS[number - 1]}公司"
    return Company(f"co_{number:02d}", name, _SHARES[number - 1])


def _stations_of(number: int) -> list[Station]:
    main, branch = f"{number:02d}", f"{number:02d}_1"
    if number not in _WITH_BRANCH:
        return [_station(main, number, lanes=5, percent=100)]
    # nothing comes back to a station that may not fill
    percent = 0 if f"st_{branch}" == SUSPENDED_STATION else _BRANCH_PERCENT
    lanes = 8 if number == 1 else 6
    return [_station(main, number, lanes, 100 - percent), _station(branch, number, 4, percent)]


def _station(mark: str, number: int, lanes: int, percent: int) -> Station:
    kind = "分站" if mark.endswith("_1") else "总站"
    return Station(
        station_id=f"st_{mark}",
        company_id=f"co_{number:02d}",
        name=f"演示燃气{_NUMERALS[number - 1]}公司{kind}",
        scale_ids=tuple(f"sc_{mark}_{lane}" for lane in range(1, lanes + 1)),
        filler_ids=tuple(f"fl_{mark}_{place}" for place in range(1, (6 if lanes == 8 else 4) + 1)),
        fleet_percent=percent,
    )


def _point(index: int, companies: int) -> DeliveryPoint:
    company_id = f"co_{index % companies + 1:02d}"
    return DeliveryPoint(f"pt_{index + 1:02d}", company_id, f"演示配送点{index + 1:02d}号")


def _worker(index: int, points: tuple[DeliveryPoint, ...]) -> DeliveryWorker:
    point = points[index % len(points)]
    return DeliveryWorker(f"dw_{index + 1:03d}", point.point_id, point.company_id)


def _districts(kind: str, name: str, count: int) -> list[District]:
    return [District(f"{kind}_{n:02d}", kind, f"演示{name}{n:02d}") for n in range(1, count + 1)]
