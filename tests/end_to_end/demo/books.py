"""What the ledger says afterwards, asked over HTTP: decisions, fills, histories."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from operators import Scan

Decision = dict[str, Any]


class Service:
    """The service as its users see it: base URL and one bearer token per role."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        self.url = url
        self._tokens = tokens
        self._client = httpx.Client(base_url=url, timeout=30)

    def get(self, role: str, path: str, **query: Any) -> Any:
        """JSON at `path`; raises httpx.HTTPStatusError for anything but success."""
        answer = self._client.get(path, params=query, headers=self._bearer(role))
        return answer.raise_for_status().json()

    def post(self, role: str, path: str, **body: Any) -> Any:
        """Post JSON (``json=``) or a file (``files=``), under the id of the act."""
        said = body.get("json", {})
        key = said.get("id") or said.get("check_id") or uuid.uuid4().hex
        answer = self._client.post(path, headers={**self._bearer(role), "Idempotency-Key": key}, **body)
        return answer.raise_for_status().json()

    def give_tokens(self, tokens: dict[str, str]) -> None:
        """More tokens, by the name they are used under."""
        self._tokens = {**self._tokens, **tokens}

    def decisions(self, station_id: str) -> Iterator[Decision]:
        """Every recorded decision at a station, oldest first."""
        after = None
        while True:
            query = {"station_id": station_id, "limit": 500} | ({"after": after} if after is not None else {})
            page = self.get("regulator", "/v1/fill-checks", **query)
            yield from page["items"]
            if (after := page["next"]) is None:
                return

    def history(self, cylinder: str) -> list[dict[str, Any]]:
        """A cylinder's entries, oldest first."""
        entries = self.get("regulator", f"/v1/cylinders/{cylinder}/history")["entries"]
        return [item["entry"] for item in entries]

    def close(self) -> None:
        self._client.close()

    def _bearer(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[role]}"}


def planted_table(
    planted: Sequence[dict[str, Any]], decisions: Sequence[Decision], since: int
) -> dict[str, dict[str, int]]:
    """Kind → how many planted scans there are, and how many of them the ledger refuses for the planted reason."""
    table: dict[str, dict[str, int]] = {}
    for scan in planted:
        row = table.setdefault(scan["kind"], {"expected": 0, "refused": 0})
        row["expected"] += 1
        row["refused"] += any(_refuses(decision, scan) for decision in decisions if decision["decided_at"] >= since)
    return table


def _refuses(decision: Decision, scan: dict[str, Any]) -> bool:
    return (
        decision["raw_scan"].strip().endswith(scan["raw_text"].strip())
        and decision["outcome"] == "DENY"
        and scan["expected_reason"] in decision["reasons"]
    )


def wrongly_refused(scans: Sequence[Scan], decisions: Sequence[Decision]) -> int:
    """How many good scans the ledger shows as refused, or not at all."""
    permitted = {decision["check_id"] for decision in decisions if decision["outcome"] != "DENY"}
    good = [scan for scan in scans if scan.planted is None]
    return sum(scan.said.get("check_id") not in permitted for scan in good)


def lost_or_doubled(scans: Sequence[Scan], decisions: Sequence[Decision], service: Service) -> list[str]:
    """Check ids of the scans that the ledger does not hold exactly once, with their fill where there was one.

    Service and station may each have recorded a decision on one check: the station was stricter, knowing its own acts.
    """
    times = Counter((decision["check_id"], decision["decided_by"]) for decision in decisions)
    held = {check_id for check_id, _side in times}
    doubled = {check_id for (check_id, _side), count in times.items() if count > 1}
    faults = [str(check_id) for scan in scans if (check_id := scan.said["check_id"]) not in held - doubled]
    filled = {scan.said["check_id"]: scan for scan in scans if scan.said["event"] == "filled"}
    for check_id, scan in filled.items():
        history = service.history(scan.said["code"])
        fills = [entry for entry in history if entry["type"] == "filled" and entry["data"]["check_id"] == check_id]
        if len(fills) != 1:
            faults.append(str(check_id))
    return faults
