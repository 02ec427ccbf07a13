"""Which cylinders are scanned, at which scale, in which order; made from the town's answer key."""

from dataclasses import dataclass
from typing import Any

from operators import Scan

LANES = 8
SPECIAL_LANES = 2
"""Lanes 9 and 10: a scale whose verification has run out, and one the regulator has locked."""
_OVER_HTTP_ONLY = "R60 licence_invalid"
_KNOWN_ONLY_TO_THE_SERVICE = ("R10", "R03", "R02")
_OFFLINE_SHARE = 0.2
_LARGE_G, _LARGE = 30_000, 4


@dataclass(slots=True)
class Plan:
    """Scans while the service is there, scans while it is unplugged, and questions asked over HTTP alone."""

    online: list[Scan]
    offline: list[Scan]
    over_http: list[dict[str, Any]]
    """Planted scans at a station that has no agent here."""

    @property
    def scans(self) -> list[Scan]:
        """Everything typed at the station."""
        return [*self.online, *self.offline]


def make_plan(key: dict[str, Any], fillers: list[str], wanted: int, new: list[dict[str, Any]]) -> Plan:
    """Mix planted and good cylinders over the lanes; `new` are good ones registered during the demo."""
    at_station = [scan for scan in key["planted"] if scan["station_id"] == "st_01"]
    good = [*new, *_mostly_small(key["good"])][: max(wanted - len(at_station), len(new))]
    scans = _mixed(at_station, good)
    for number, scan in enumerate(scans, start=1):
        scan.number = number
        scan.worker_id = scan.planted["worker_id"] if scan.planted else fillers[scan.lane % len(fillers)]
    scans = _with_first_fills(scans, fillers)
    offline = [scan for scan in scans if _may_wait(scan)][-int(len(scans) * _OFFLINE_SHARE) :]
    online = [scan for scan in scans if scan not in offline]
    return Plan(online, offline, [scan for scan in key["planted"] if scan["station_id"] != "st_01"])


def _mostly_small(good: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Household cylinders, with a few of the 50 kg ones, whose fill takes four times as long."""
    large = [scan for scan in good if scan["empty_gross_g"] > _LARGE_G]
    return large[:_LARGE] + [scan for scan in good if scan["empty_gross_g"] <= _LARGE_G]


def _mixed(planted: list[dict[str, Any]], good: list[dict[str, Any]]) -> list[Scan]:
    """Planted ones spread evenly among the good ones, lanes taken in turn."""
    scans: list[Scan] = []
    every = max(1, len(good) // max(1, len(planted)))
    queue = list(planted)
    for place, cylinder in enumerate(good):
        scans.append(Scan(0, cylinder["raw_text"], cylinder["empty_gross_g"], 1 + place % LANES, ""))
        if place % every == 0 and queue:
            scans.append(_planted_scan(queue.pop(0), place))
    return scans + [_planted_scan(scan, place) for place, scan in enumerate(queue)]


def _planted_scan(scan: dict[str, Any], place: int) -> Scan:
    lane = scan["lane"] if scan["lane"] > LANES else 1 + place % LANES
    return Scan(0, scan["raw_text"], scan["empty_gross_g"], lane, scan["worker_id"], tuple(scan["findings"]), scan)


def _with_first_fills(scans: list[Scan], fillers: list[str]) -> list[Scan]:
    """Before a code is scanned for a second fill, the same code is filled once."""
    result: list[Scan] = []
    for scan in scans:
        if scan.planted and scan.planted.get("prelude", {}).get("act") == "fill_here":
            first = Scan(len(scans) + len(result) + 1, scan.raw_text, scan.empty_gross_g, scan.lane, fillers[0])
            first.leads, scan.follows = True, first.number
            result.append(first)
        result.append(scan)
    return result


def _may_wait(scan: Scan) -> bool:
    """Whether the station alone knows enough to decide this one as the answer key says."""
    if scan.planted is None:
        return not scan.leads
    kind_known = not any(code in _KNOWN_ONLY_TO_THE_SERVICE for code in scan.planted["expected_reasons"])
    return kind_known and scan.lane <= LANES and "prelude" not in scan.planted


def is_over_http(scan: dict[str, Any]) -> bool:
    """Whether a planted scan is asked over HTTP, because its station has no agent in the demo."""
    return str(scan["kind"]) == _OVER_HTTP_ONLY
