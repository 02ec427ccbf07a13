"""A witness as a regulator runs it: a process of its own, with a folder, that can be killed and started again."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cylinder_codes.keys import VerifyingKey, format_vkey
from cylinder_trace.cosignature import ED25519_COSIGNATURE, Cosigner, format_cosigner
from cylinder_trace.witnessing import AddCheckpoint, format_request

W1 = Cosigner("witness.example/w1", ED25519_COSIGNATURE, bytes(range(32, 64)))


class Said(NamedTuple):
    """What a witness answered."""

    status: int
    body: str
    content_type: str


class RunningWitness(NamedTuple):
    """A witness that is up."""

    url: str
    process: subprocess.Popen[str]

    def ask(self, request: AddCheckpoint) -> Said:
        return self.post(format_request(request).encode())

    def post(self, body: bytes, path: str = "/add-checkpoint") -> Said:
        return _said(urllib.request.Request(self.url + path, data=body))

    def get(self, path: str) -> Said:
        return _said(urllib.request.Request(self.url + path))


def _said(request: urllib.request.Request) -> Said:
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Said(answer.status, answer.read().decode(), answer.headers["Content-Type"])
    except urllib.error.HTTPError as error:
        return Said(error.code, error.read().decode(), error.headers["Content-Type"])


@contextmanager
def running_witness(
    folder: Path, logs: Sequence[VerifyingKey], cosigners: Sequence[Cosigner] = (W1,), port: int = 0
) -> Iterator[RunningWitness]:
    folder.mkdir(exist_ok=True)
    start = "import sys; from cylinder_trace.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "witness", "serve", "--json"]
    command += ["--listen", f"127.0.0.1:{port}", "--state", str(folder / "state")]
    for number, cosigner in enumerate(cosigners):
        path = folder / f"witness-{number}.key"
        path.write_text(format_cosigner(cosigner))
        command += ["--key", str(path)]
    for key in logs:
        command += ["--log", format_vkey(key)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield RunningWitness(f"http://127.0.0.1:{json.loads(line)['port']}", process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
