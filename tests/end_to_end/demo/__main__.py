"""The main job, end to end, with the real pieces as real processes; `make demo` runs this.

A town is generated; its service, its filling scales and one station agent are started; 200 and more cylinders are
scanned as a keyboard wedge types them; the service is unplugged for a while; a cylinder is sold, traced, proved and
audited; one byte of a copy is changed and found.  The last line is one JSON object; exit 0 only if every check holds.
"""

import argparse
import asyncio
import json
import os
import pty
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
from books import Decision, Service, lost_or_doubled, planted_table, wrongly_refused
from operators import AgentEvents, Keyboard, Station, World
from pieces import Piece, PieceFailed, free_port, outcome_of, run, wait_until_answering
from plan import LANES, SPECIAL_LANES, Plan, make_plan
from story import Story
from town import CUSTOMER, import_table, leaks, new_scans, now_ms, people_of, read_key, read_picture
from valves import filled_to_the_limit, read_scale_log, stayed_shut

from cylinder_codes.keys import SEED_BYTES, SigningKey, format_vkey
from cylinder_codes.reading import read_scan

STATION, COMPANY = "st_01", "co_01"
NEW_CYLINDERS = 16
TIME_FACTOR = 60
_CATCH_UP_S = 20.0


class Demo:
    """One run: its folder, its processes, and what it has seen so far."""

    def __init__(self, folder: Path, cylinders: int, scans: int, stack: ExitStack) -> None:
        self.folder, self.data, self.agent_data = folder, folder / "data", folder / "agent"
        self.cylinders, self.wanted = cylinders, scans
        self.story, self._stack = Story(), stack
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.began_at = now_ms()
        self.new: list[dict[str, Any]] = []
        self.tokens_elsewhere: dict[str, str] = {}
        self.table: dict[str, dict[str, int]] = {}
        self.scanned = 0
        self.wrong = 0

    # --- the pieces ---------------------------------------------------------------------------------------

    def start_service(self) -> None:
        """Start the service on the demo's data; the first start seeds the town."""
        command = ["cylinder-api", "serve", "--demo", "--data", self.data, "--port", self.port]
        command += ["--cylinders", self.cylinders]
        self.service_process = Piece("the service", command, self.folder / "service.log")
        self._stack.callback(self.service_process.stop)
        wait_until_answering(self.service_process, self.url)
        access = json.loads((self.data / "demo-access.json").read_text())
        self.service = Service(self.url, access["tokens"])
        self._stack.callback(self.service.close)
        self.access = access

    def start_scales(self) -> None:
        """Start the filling scales (Modbus TCP) with their own log."""
        ready = self.folder / "scales.json"
        self.scale_log = self.folder / "scales.jsonl"
        command = ["station-agent", "simulate-scale", "--port", 0, "--world-port", 0, "--ready-file", ready]
        command += ["--scales", LANES + SPECIAL_LANES, "--time-factor", TIME_FACTOR, "--log", self.scale_log]
        scales = Piece("the scales", command, self.folder / "scales.out")
        self._stack.callback(scales.stop)
        self.scales = scales.wait_for(ready)

    def start_agent(self) -> None:
        """Enrol the station's PC with a one-time code and start its agent on a keyboard of its own."""
        code = self.enrolment_code(STATION)
        run("station-agent", "enrol", "--url", self.url, "--code", code, "--data", self.agent_data)
        config = self.agent_data / "station.toml"
        config.write_text(agent_settings(self.url, self.agent_data, int(self.scales["port"])))
        self.keyboard, terminal = pty.openpty()
        self.agent_log = self.folder / "agent.jsonl"
        command = ["station-agent", "run", "--headless", "--config", config]
        self.agent = Piece("the agent", command, self.agent_log, stdin=terminal)
        self._stack.callback(self.agent.stop)
        self._stack.callback(os.close, self.keyboard)
        os.close(terminal)

    # --- the chapters -------------------------------------------------------------------------------------

    def codes_and_labels(self) -> None:
        """Issue codes, draw labels, read each picture back with a decoder that is not ours."""
        self.story.chapter("一瓶一码:赋码、制标签", "Issue codes, draw labels, read them back")
        issued = self.folder / "codes.csv"
        key, book = self.data / "keys" / "tag.key", self.folder / "issue-book.db"
        run("cylinder-codes", "issue", "--key", key, "--count", NEW_CYLINDERS, "--book", book, "--out", issued)
        run("cylinder-codes", "label", "--codes", issued, "--out", self.folder / "labels")
        pictures = sorted((self.folder / "labels").glob("*.png"))
        links = [read_picture(picture) for picture in pictures]
        codes = [str(read_scan(link)) for link in links]
        self.new = new_scans(codes, links)
        issued_codes = {line.split(",")[1] for line in issued.read_text(encoding="utf-8-sig").splitlines()[1:]}
        holds = len(pictures) == NEW_CYLINDERS and set(codes) == issued_codes
        self.story.check("labels_read_back", holds, f"{len(pictures)} pictures read by zxing-cpp 二维码全部读回")

    def register(self) -> None:
        """Register the new cylinders through the company's bulk import, twice."""
        self.story.chapter("批量建档", "Register through the bulk import")
        files = {"file": ("新瓶.csv", import_table([scan["code"] for scan in self.new], COMPANY))}
        first = self.service.post("company", "/v1/imports", files=files)
        again = self.service.post("company", "/v1/imports", files=files)
        holds = first["registered"] == NEW_CYLINDERS and again["registered"] == 0 and not first["errors"]
        self.story.check("import_registers_once", holds, f"{first['registered']} registered, the same file again: 0")

    async def scan(self, plan: Plan) -> None:
        """Scan at all lanes; for the last part the service is unplugged."""
        self.story.chapter("扫码充装", "Scan: good ones fill, bad ones leave the valve shut")
        world = await World(int(self.scales["world_port"])).connect()
        events = AgentEvents(self.agent_log, LANES + SPECIAL_LANES)
        following = asyncio.create_task(events.follow())
        station = Station(Keyboard(self.keyboard), world, events)
        try:
            with self.story.counting("scans 扫码", len(plan.scans)) as count:
                await station.work(plan.online, count)
                await asyncio.to_thread(self.service_process.stop)
                await station.work(plan.offline, count)
            self.scanned = len(plan.scans)
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            world.close()

    def prepare_tricks(self, planted: list[dict[str, Any]]) -> None:
        """Make what must have happened before: the same code was checked at another station."""
        for scan in planted:
            prelude = scan.get("prelude", {})
            if prelude.get("act") == "check_elsewhere":
                self.ask_elsewhere({**scan, **prelude})

    def ask_elsewhere(self, scan: dict[str, Any]) -> None:
        """A fill check over HTTP at a station that has no agent here."""
        asked_at = now_ms()
        request = {
            "check_id": f"elsewhere.{asked_at}.{abs(hash(scan['raw_text'])) % 10**9}",
            "raw_scan": scan["raw_text"],
            "code": scan.get("code"),
            "station_id": scan["station_id"],
            "scale_id": scan["scale_id"],
            "lane": scan["lane"],
            "boot_id": "demo",
            "worker_id": scan["worker_id"],
            "empty_gross_g": scan["empty_gross_g"],
            "requested_at": asked_at,
        }
        body = {name: value for name, value in request.items() if value is not None}
        self.service.post(scan["station_id"], "/v1/fill-checks", json=body)

    def enrol_elsewhere(self, planted: list[dict[str, Any]]) -> None:
        """Enrol a device of each station that takes part over HTTP alone, for its token."""
        named = [*planted, *(scan["prelude"] for scan in planted if "prelude" in scan)]
        for station_id in sorted({scan["station_id"] for scan in named} - {STATION}):
            key = SigningKey(f"demo-{station_id}", os.urandom(SEED_BYTES))
            body = {"code": self.enrolment_code(station_id), "vkey": format_vkey(key.verifying_key)}
            self.tokens_elsewhere[station_id] = self.service.post("admin", "/v1/devices/enrol", json=body)["token"]
        self.service.give_tokens(self.tokens_elsewhere)

    def enrolment_code(self, station_id: str) -> str:
        """A one-time code for a device of a station, from the administrator."""
        issued = self.service.post("admin", "/v1/devices/codes", json={"station_id": station_id})
        return str(issued["code"])

    def judge_valves(self, plan: Plan) -> None:
        """Judge every valve by the scales' own log alone."""
        log = read_scale_log(self.scale_log)
        good = [scan for scan in plan.scans if scan.planted is None]
        bad = [scan for scan in plan.scans if scan.planted is not None]
        full = sum(filled_to_the_limit(log[scan.label]) for scan in good)
        shut = sum(stayed_shut(log[scan.label]) for scan in bad)
        self.story.check("permitted_fill_to_the_limit", full == len(good), f"{full} of {len(good)} 充到限量自动关阀")
        self.story.check("refused_leave_the_valve_shut", shut == len(bad), f"{shut} of {len(bad)} 阀门未开")

    def catch_up(self, plan: Plan) -> list[Decision]:
        """Plug the service in again and see that the agent's queue comes in whole."""
        self.story.chapter("断网续充,恢复后补传", "Unplugged: the agent went on deciding; now it catches up")
        alone = len(plan.offline)
        decided = sum(scan.said.get("outcome") is not None for scan in plan.offline)
        self.story.check(
            "decides_alone", alone > 0 and decided == alone, f"{decided} of {alone} decided with the service gone"
        )
        self.service.close()
        plugged_in_at = now_ms()
        self.start_service()
        self.service.give_tokens(self.tokens_elsewhere)
        sent = self.agent.wait_until_said(
            lambda line: _is("uploaded")(line) and line["unsent"] == 0 and line["at"] > plugged_in_at, _CATCH_UP_S
        )
        self.story.check("queue_is_empty", sent, "nothing left to send 待传 0" if sent else "records are left to send")
        decisions = list(self.service.decisions(STATION))
        faults = lost_or_doubled(plan.scans, decisions, self.service)
        self.story.check(
            "nothing_lost_or_doubled", not faults, f"{len(plan.scans)} scans, {len(faults)} lost or doubled"
        )
        return decisions

    def count_refusals(self, plan: Plan, planted: list[dict[str, Any]], decisions: list[Decision]) -> None:
        """Count over HTTP what the ledger refused, against the answer key."""
        self.story.chapter("对照答案", "Every planted case, refused for the planted reason?")
        for scan in plan.over_http:
            self.ask_elsewhere(scan)
        elsewhere = {scan["station_id"] for scan in plan.over_http}
        for station_id in elsewhere:
            decisions = decisions + list(self.service.decisions(station_id))
        self.table = planted_table(planted, decisions, self.began_at)
        for kind, row in sorted(self.table.items()):
            self.story.say(f"{row['refused']:>3} / {row['expected']:<3} {kind}")
        self.wrong = wrongly_refused(plan.scans, decisions)
        exact = all(row["refused"] == row["expected"] >= 1 for row in self.table.values()) and len(self.table) >= 12
        self.story.check("planted_cases_refused", exact, f"{len(self.table)} kinds 类")
        self.story.check("no_good_cylinder_refused", self.wrong == 0, f"{self.wrong} good cylinders refused 误拒")

    def sell(self, plan: Plan) -> str:
        """A delivery app sells one of the cylinders just filled."""
        self.story.chapter("实名销售", "Real-name sale by a delivery app")
        sold = next(scan for scan in plan.scans if scan.said["event"] == "filled")
        code = str(sold.said["code"])
        body = {
            "id": f"sale.{now_ms()}", "code": code, "order_no": "DEMO-1", "point_id": "dp_01", "worker_id": "dw_001",
            "customer": CUSTOMER, "safety_check_passed": True, "occurred_at": now_ms(),
        }  # fmt: skip
        customer_id = self.service.post("delivery", "/v1/sales", json=body)["customer_id"]
        state = self.service.get("regulator", f"/v1/cylinders/{code}/history")["cylinder"]
        self.story.check(
            "sale_recorded", state["status"] == "at_customer", f"customer {customer_id}, cylinder at customer 用户处"
        )
        return code

    def trace(self, code: str) -> None:
        """A regulator prints one cylinder's whole history with its proof."""
        self.story.chapter("一瓶一生,可核可证", "A regulator traces one cylinder, with proof")
        for entry in self.service.history(code):
            when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(entry["occurred_at"] / 1000 + 8 * 3600))
            self.story.say(f"{when}  #{entry['n']:<3} {entry['type']:<22} by {entry['by']}")
        bundle = self.folder / "bundle.json"
        bundle.write_text(json.dumps(self.service.get("regulator", f"/v1/cylinders/{code}/bundle")))
        vkey = self.folder / "log.vkey"
        vkey.write_bytes(httpx.get(f"{self.url}/log/keys").content)
        status, verdict = outcome_of("cylinder-trace", "verify", bundle, "--vkey", vkey, "--json")
        holds = status == 0 and verdict["entries"] >= 4
        self.story.check(
            "history_proof_verifies", holds, f"{verdict.get('entries')} entries under a log of {verdict.get('size')}"
        )

    def audit(self) -> None:
        """Audit everything; then change one byte of a copy and audit that."""
        self.story.chapter("全账审计", "Audit the whole ledger, then a copy with one byte changed")
        copy, subject = self.copy_with_one_byte_changed()
        vkey = self.folder / "log.vkey"
        with ThreadPoolExecutor() as pool:
            audit = pool.submit(outcome_of, "cylinder-trace", "audit", self.data, "--json")
            replay = pool.submit(outcome_of, "cylinder-trace", "replay", self.data, "--json")
            audit_of_copy = pool.submit(outcome_of, "cylinder-trace", "audit", copy, "--vkey", vkey, "--json")
        status, report = audit.result()
        holds = status == 0 and report["ok"] and report["size"] == report["entries"]
        self.story.check("audit_passes", holds, f"{report['entries']} entries, root {report['root'][:16]}…")
        status, replayed = replay.result()
        same = status == 0 and replayed["decisions"] > 0
        self.story.check("decisions_replay", same, f"{replayed['decisions']} decisions taken again, bit for bit")
        status, report = audit_of_copy.result()
        named = [fault for fault in report["faults"] if fault["subject"] == subject]
        about = f"{named[0]['kind']}: {subject} index {named[0]['index']} {named[0]['field']}" if named else "not found"
        self.story.check("changed_byte_is_named", status == 1 and bool(named), about)

    def copy_with_one_byte_changed(self) -> tuple[Path, str]:
        """A copy of the database in which one digit of one recorded fill is another one; and whose fill."""
        copy = self.folder / "copy.db"
        with sqlite3.connect(self.data / "ledger.db") as source, sqlite3.connect(copy) as target:
            source.backup(target)
            row = "SELECT subject, text FROM entry WHERE type = 'filled' ORDER BY log_index DESC LIMIT 1"
            subject, text = target.execute(row).fetchone()
        target.close()
        data, at = bytearray(copy.read_bytes()), copy.read_bytes().index(bytes(text))
        place = at + bytes(text).index(b'"net_g":') + len(b'"net_g":')
        data[place] ^= 1
        copy.write_bytes(data)
        return copy, str(subject)

    def keep_people_private(self) -> None:
        """Look for every customer's data in everything that was written: database, logs, tiles, journal."""
        self.service_process.stop()
        people = people_of(self.data)
        found = leaks(self.folder, people)
        about = ", ".join(found) or f"none of {len(people)} names, numbers and addresses in plain 未见明文"
        self.story.check("personal_data_only_in_the_vault", not found, about)

    async def play(self) -> None:
        """The whole story."""
        self.story.chapter("小镇开张", f"A generated town of {self.cylinders} cylinders; everything in it is generated")
        self.start_service()
        key = read_key(self.data / "answer-key.json")
        self.start_scales()
        self.start_agent()
        about = f"service {self.url}, {LANES + SPECIAL_LANES} scales, one station agent"
        self.story.check("pieces_run", self.agent.wait_until_said(_is("ready"), _CATCH_UP_S), about)
        self.enrol_elsewhere(key["planted"])
        self.codes_and_labels()
        self.register()
        plan = make_plan(key, self.access["station"]["workers"], self.wanted, self.new)
        self.prepare_tricks(key["planted"])
        self.wait_for_replica()
        await self.scan(plan)
        self.judge_valves(plan)
        decisions = self.catch_up(plan)
        self.count_refusals(plan, key["planted"], decisions)
        self.trace(self.sell(plan))
        self.audit()
        self.keep_people_private()

    def wait_for_replica(self) -> None:
        """Wait until the agent knows the cylinders registered a moment ago."""
        size = self.service.get("auditor", "/readyz")["entries"]
        if not self.agent.wait_until_said(lambda line: _is("replica")(line) and line["version"] >= size, _CATCH_UP_S):
            raise PieceFailed("the agent did not learn the new cylinders in time")


def _is(event: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line.get("event") == event


def agent_settings(url: str, data: Path, scale_port: int) -> str:
    """The station's settings: where the service and the scales are, and which scanner belongs to which scale."""
    lanes = "".join(
        f'[[lanes]]\ndigit = {lane % 10}\nscale_id = "sc_01_{lane}"\nunit = {lane}\n\n'
        for lane in range(1, LANES + SPECIAL_LANES + 1)
    )
    return f'service_url = "{url}"\ndata = "{data}"\n\n[scales]\nhost = "127.0.0.1"\nport = {scale_port}\n\n{lanes}'


def main() -> int:
    """Run the demo; exit 0 only if every check holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cylinders", type=int, default=1_000, help="size of the town (default 1000)")
    parser.add_argument("--scans", type=int, default=202, help="how many cylinders are scanned at least (default 202)")
    parser.add_argument("--keep", type=Path, help="keep everything the run wrote in this folder")
    arguments = parser.parse_args()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="pinglian-demo-"))
    with ExitStack() as stack:
        stack.callback(_put_away, folder, arguments.keep)
        demo = Demo(folder, arguments.cylinders, arguments.scans, stack)
        try:
            asyncio.run(demo.play())
            ended = True
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the last line still is the JSON object
            ended = False
            told = str(error) if isinstance(error, PieceFailed) else "".join(traceback.format_exception(error))
            print(f"demo: {told}", file=sys.stderr)
        demo.story.check("played_to_the_end", ended, "")
        checks = demo.story.checks
    ok = ended and all(checks.values()) and demo.wrong == 0
    result = {
        "ok": ok, "seconds": round(time.monotonic() - began, 1), "scanned": demo.scanned, "checks": checks,
        "planted": demo.table, "wrongly_refused": demo.wrong,
    }  # fmt: skip
    demo.story.end(json.dumps(result, ensure_ascii=False))
    return 0 if ok else 1


def _put_away(folder: Path, keep: Path | None) -> None:
    if keep is not None:
        shutil.copytree(folder, keep, dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
