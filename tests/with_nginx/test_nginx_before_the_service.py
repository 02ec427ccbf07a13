"""A real nginx with our files before a real service: TLS, streams, a change of processes, and a log without codes."""

import json
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import httpx
import pytest
from api_house import House, check_body, listening, next_change, settle
from test_deployment import DEPLOY

from cylinder_trace.events import Returned
from servers.keeper import free_port, kept


@dataclass
class Nginx:
    """A running nginx, and where its files are."""

    folder: Path
    program: str
    port: int

    def client(self, token: str | None = None) -> httpx.Client:
        """Calls by TLS, as somebody outside; trusts this certificate alone."""
        trusted = ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=f"https://localhost:{self.port}", headers=headers, verify=trusted, timeout=30, trust_env=False
        )

    def use(self, *urls: str) -> None:
        """Write local.conf anew and reload, as an operator does."""
        self.write_local(*urls)
        self.run("-s", "reload")

    def write_local(self, *urls: str) -> None:
        text = (DEPLOY / "nginx" / "local.conf").read_text("utf-8").replace("/var/log/nginx", str(self.folder))
        servers = "\n".join(f"    server {url.removeprefix('http://')};" for url in urls)
        text = re.sub(r"(?m)(^    server .*\n)+", f"{servers}\n", text)
        (self.folder / "local.conf").write_text(text, "utf-8")

    def run(self, *arguments: str) -> None:
        command = [self.program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    @property
    def log(self) -> str:
        return (self.folder / "pinglian.log").read_text("utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("behind") / "data") as house:
        yield house


@pytest.fixture(scope="module")
def nginx(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.fail("nginx is not on this machine; install it with the system's packages, then: make proxy")
    folder = tmp_path_factory.mktemp("nginx")
    here = Nginx(folder, program, free_port())
    here.write_local(house.url)
    text = (DEPLOY / "nginx" / "pinglian.conf").read_text("utf-8").replace("/etc/nginx/pinglian", str(folder))
    text = text.replace("ledger.example", "localhost")
    text = re.sub(r"\n *listen \[::\]:.*", "", text)
    for named, here_instead in ((443, here.port), (80, free_port())):
        text = text.replace(f"listen {named} ", f"listen 127.0.0.1:{here_instead} ")
    (folder / "pinglian.conf").write_text(text, "utf-8")
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/early crit; events {{}}\n"
        f"http {{ client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;\n"
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; include {folder}/pinglian.conf; }}\n"
    )
    _make_certificate(folder)
    here.run("-t")
    run = folder / "run"
    run.mkdir()
    with kept([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], run):
        _wait_until_up(here)
        yield here


def _make_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True,
    )  # fmt: skip


def _wait_until_up(nginx: Nginx) -> None:
    patience = time.monotonic() + 20
    while True:
        try:
            with nginx.client() as client:
                client.get("/healthz").raise_for_status()
            return
        except httpx.HTTPError:
            assert time.monotonic() < patience, "nginx did not come up"
            time.sleep(0.05)


def test_who_asks_by_tls_is_answered_with_the_headers_that_keep_browsers_safe(nginx: Nginx) -> None:
    with nginx.client() as client:
        answer, numbers = client.get("/readyz"), client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers["server"] == "nginx"
    assert numbers.status_code == 404
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=False, trust_env=False) as stranger:
        stranger.get(f"https://127.0.0.1:{nginx.port}/readyz")


def test_a_station_hears_through_nginx_of_a_change_as_soon_as_it_is_made(nginx: Nginx, house: House) -> None:
    bottle = house.new_bottle()
    with nginx.client("token-of-station") as client, listening(client) as stream:
        settle(stream, house)
        house.append(bottle.subject, Returned(station_id="st_1"))
        assert bottle.subject in next_change(stream)["subjects"]


def test_no_code_and_no_query_is_in_a_log_and_an_encoded_slash_arrives_as_it_was_sent(
    nginx: Nginx, house: House
) -> None:
    bottle = house.new_bottle()
    with nginx.client("token-of-station") as station, nginx.client("token-of-regulator") as regulator:
        body = check_body(bottle)
        key = {"Idempotency-Key": body["check_id"]}
        assert station.post("/v1/fill-checks", json=body, headers=key).status_code == 200
        assert regulator.get(f"/v1/cylinders/{bottle.code}").status_code == 200
        slashed = f"/v1/cylinders/ZZ%2FSLASH-{bottle.cylinder_id}"
        behind = regulator.get(slashed, params={"name": "ZZQUERY"})
        direct = house.as_("regulator").get(slashed, params={"name": "ZZQUERY"})
        assert (behind.status_code, behind.json()["detail"]) == (direct.status_code, direct.json()["detail"])
    patience = time.monotonic() + 20
    while nginx.log.count('"/v1/cylinders/*"') < 2:  # a line is written behind its answer
        assert time.monotonic() < patience, nginx.log
        time.sleep(0.01)
    lines = [json.loads(line) for line in nginx.log.splitlines()]
    assert {"/v1/fill-checks/*", "/v1/cylinders/*", "/readyz"} <= {line["route"] for line in lines}
    assert all(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", line["trace"]) for line in lines if line["upstream"])
    for secret in (bottle.code, bottle.cylinder_id, "ZZ", "token-of"):
        assert secret not in nginx.log


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(nginx: Nginx) -> None:
    trusted = ssl.create_default_context(cafile=str(nginx.folder / "fullchain.pem"))
    with closing(HTTPSConnection("localhost", nginx.port, context=trusted, timeout=30)) as line:
        line.putrequest("POST", "/v1/fill-checks")
        line.putheader("Content-Length", str(65 * 2**20))
        line.endheaders()
        assert line.getresponse().status == 413


def test_who_claims_another_address_is_not_believed(nginx: Nginx) -> None:
    text = (nginx.folder / "pinglian.conf").read_text("utf-8")
    assert text.count("X-Forwarded-For") == 1
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text


def test_no_request_fails_while_the_processes_that_are_asked_are_changed(nginx: Nginx, house: House) -> None:
    stop, failed, answered = threading.Event(), list[str](), list[int]()

    def ask() -> None:
        with nginx.client() as client:
            while not stop.is_set():
                try:
                    answered.append(client.get("/readyz").raise_for_status().status_code)
                except httpx.HTTPError as error:
                    failed.append(repr(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        before = len(answered)
        nginx.use(house.url)
        patience = time.monotonic() + 120
        while len(answered) < before + 30 and not failed:
            assert time.monotonic() < patience
            time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert failed == []
    assert len(answered) > 90
