"""``cylinder-codes label``: a label for every code as PNG, SVG or DXF, and what it becomes as a plate."""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cylinder_codes.commands.code_file import read_code, read_codes
from cylinder_codes.commands.common import (
    GOOD,
    CannotCheck,
    add_command,
    add_host,
    counted,
    is_or_are,
    millimetres,
    say,
    whole_number,
)
from cylinder_codes.commands.pace import progress
from cylinder_codes.commands.pool import add_processes, in_batches
from cylinder_codes.dxf import dxf
from cylinder_codes.identifiers import Code
from cylinder_codes.labels import LEAST_MODULE_PX, MODULE_MM, MODULE_PX, Label, lay_out, png
from cylinder_codes.plates import describe, sentences
from cylinder_codes.svg import TextAs, svg
from cylinder_codes.symbols import LEVELS, Level

FORMATS = ("png", "svg", "dxf")

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Design:
    """How every label of a run is designed."""

    host: str
    level: Level
    version: int | None
    mask: int | None

    def lay_out(self, code: Code) -> Label:
        try:
            return lay_out(code, host=self.host, level=self.level, version=self.version, mask=self.mask)
        except ValueError as error:
            raise CannotCheck(f"{code.text}: {error}") from error


@dataclass(frozen=True, slots=True)
class Job:
    """How all labels of a run are drawn, and where to."""

    design: Design
    folder: Path
    format: str
    module_px: int
    module_mm: float
    svg_text: TextAs

    def draw(self, code: Code) -> bytes:
        label = self.design.lay_out(code)
        if self.format == "png":
            return png(label, self.module_px, self.module_mm)
        if self.format == "svg":
            return svg(label, self.module_mm, text=self.svg_text).encode()
        return dxf(label, self.module_mm).encode("ascii")


def _label(options: argparse.Namespace) -> int:
    design = Design(options.host, options.level, options.version, options.mask)
    if options.describe is not None:
        return _describe(options, design)
    if options.codes is None or options.out is None:
        raise CannotCheck("name the codes with --codes and the folder with --out, or one code with --describe")
    codes = list(dict.fromkeys(read_codes(options.codes, options.host)))
    if options.out.is_file():
        raise CannotCheck(f"{options.out} is a file, not a folder: name a folder for the labels")
    options.out.mkdir(parents=True, exist_ok=True)
    job = Job(design, options.out, options.format, options.module_px, options.module_mm, options.svg_text)
    _draw_all(job, codes, options.processes)
    amount = f"{counted(len(codes), 'label')} {is_or_are(len(codes))}"
    say(options, f"{amount} in {options.out}", labels=len(codes), out=str(options.out))
    return GOOD


def _draw_all(job: Job, codes: Sequence[Code], processes: int) -> None:
    try:
        with progress("drawn", len(codes)) as show:
            for count in accumulate(in_batches(draw_some, job, codes, processes)):
                show(count)
    except KeyboardInterrupt as error:
        message = f"stopped; every label in {job.folder} is whole, and the same command draws all of them again"
        raise CannotCheck(message) from error


def draw_some(job: Job, codes: Sequence[Code]) -> int:
    """Draw labels into the folder and return how many; a file is there whole or not at all."""
    for code in codes:
        name = f"{file_stem(code)}.{job.format}"
        unfinished = job.folder / f".{name}.part"  # the same name every time: the next run takes it away
        unfinished.write_bytes(job.draw(code))
        unfinished.replace(job.folder / name)
    return len(codes)


def file_stem(code: Code) -> str:
    """Return the name of a code's file: different for every code, and allowed on every file system.

    Worked example: ``grai:09520001123450ZJ33010000017`` is ``grai_09520001123450ZJ33010000017``.
    """
    word, colon, value = code.text.partition(":")
    stem = f"{word}_{quote(value, safe='').replace('_', '%5F')}" if colon else word
    if len(stem) <= _LONGEST_NAME:
        return stem
    return f"{word}_{hashlib.sha256(code.text.encode()).hexdigest()}"


def _describe(options: argparse.Namespace, design: Design) -> int:
    code = read_code(options.describe, options.host, f"--describe {options.describe!a}")
    plate = describe(design.lay_out(code), options.module_mm)
    text = "\n".join(f"{english}\n{chinese}" for english, chinese in sentences(plate))
    say(options, text, **asdict(plate))
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "label",
        _label,
        "draw a label for every code: PNG, SVG or DXF R12",
        "A label is the QR symbol of the link, four modules of quiet zone and the code as text. Needs "
        "cylinder-codes[labels].",
        example="--codes codes.csv --out labels\n"
        "  cylinder-codes label --codes codes.csv --out plates --format dxf --level Q --module-mm 0.6\n"
        "  cylinder-codes label --describe 04HM-ASW9-NF6Y-ZZPW-1011-YN69-55 --module-mm 0.6",
    )
    command.add_argument("--codes", type=Path, help="CSV file of issue, or one code a line")
    command.add_argument("--out", type=Path, help="folder for the labels, <CODE>.<format>")
    command.add_argument("--describe", metavar="CODE", help="only say size, reading distance and contrast of its label")
    command.add_argument("--format", choices=FORMATS, default="png", help="(default png); ZPL is made by zpl")
    command.add_argument("--level", choices=LEVELS, default="M", help="error correction (default M)")
    command.add_argument("--version", type=whole_number(1, 40), help="QR version (default: the smallest that fits)")
    command.add_argument("--mask", type=whole_number(0, 7), help="mask 0 to 7 (default: the best after ISO/IEC 18004)")
    command.add_argument("--module-mm", type=millimetres, default=MODULE_MM, help="width of a module (default 0.5)")
    command.add_argument(
        "--module-px", type=whole_number(LEAST_MODULE_PX, 100), default=MODULE_PX, help="PNG: pixels a module"
    )
    command.add_argument("--svg-text", choices=("paths", "text"), default="paths", help="SVG: text as lines or as text")
    add_processes(command)
    add_host(command)
