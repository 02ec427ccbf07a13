"""``cylinder-codes zpl``: labels as one file for a Zebra printer (斑马打印机)."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cylinder_codes.commands.code_file import read_codes
from cylinder_codes.commands.common import (
    GOOD,
    CannotCheck,
    add_command,
    add_host,
    counted,
    is_or_are,
    line_of_text,
    millimetres,
    positive,
    say,
)
from cylinder_codes.commands.files import require_place, write_whole
from cylinder_codes.commands.pace import progress
from cylinder_codes.commands.pool import add_processes, in_batches
from cylinder_codes.identifiers import Code
from cylinder_codes.symbols import LEVELS, Level, SymbolError
from cylinder_codes.typeface import MissingGlyph
from cylinder_codes.zpl import RESOLUTIONS, ZplError, ZplMedia, label_zpl


@dataclass(frozen=True, slots=True)
class Job:
    """How all labels of a run are printed."""

    media: ZplMedia
    host: str
    level: Level
    notes: Sequence[str]
    copies: int

    def draw(self, code: Code) -> str:
        try:
            return label_zpl(code, self.media, host=self.host, level=self.level, notes=self.notes, copies=self.copies)
        except (ZplError, SymbolError, MissingGlyph) as error:
            raise CannotCheck(f"{code.text}: {error}") from error


def _zpl(options: argparse.Namespace) -> int:
    try:
        media = ZplMedia(options.dpi, options.width_mm, options.module_mm)
    except ZplError as error:
        raise CannotCheck(str(error)) from error
    job = Job(media, options.host, options.level, options.note, options.copies)
    codes = read_codes(options.codes, options.host)
    require_place(options.out)
    write_whole(options.out, _drawn(job, codes, options.processes))
    say(options, f"{counted(len(codes), 'label')} {is_or_are(len(codes))} in {options.out},"
        f" {media.printed_module_mm:.2f} mm a module at {media.dpi} dpi",
        labels=len(codes), out=str(options.out), dpi=media.dpi,
        module_mm=round(media.printed_module_mm, 4))  # fmt: skip
    return GOOD


def _drawn(job: Job, codes: Sequence[Code], processes: int) -> Iterator[bytes]:
    """Give the file in parts, in the order of the codes."""
    done = 0
    with progress("drawn", len(codes)) as show:
        for labels in in_batches(draw_some, job, codes, processes):
            yield "".join(labels).encode("ascii")
            done += len(labels)
            show(done)


def draw_some(job: Job, codes: Sequence[Code]) -> list[str]:
    """Return the labels of some codes."""
    return [job.draw(code) for code in codes]


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "zpl", _zpl, "write labels for a Zebra printer, ZPL II (斑马打印机标签)",
        "Chinese lines are sent as pictures, so the printer needs no Chinese font. Send the file to the printer as it"
        " is, for instance to its TCP port 9100. Needs cylinder-codes[labels].",
        example="codes.csv --out labels.zpl --dpi 300 --note 液化石油气",
    )  # fmt: skip
    command.add_argument("codes", type=Path, help="CSV file of issue, or one code a line")
    command.add_argument("--out", type=Path, required=True, help="the ZPL file")
    command.add_argument("--dpi", type=int, choices=RESOLUTIONS, default=203, help="of the print head (default 203)")
    command.add_argument("--width-mm", type=millimetres, default=50.0, help="width of the label (default 50)")
    command.add_argument("--module-mm", type=millimetres, default=0.4, help="size of a module (default 0.4)")
    command.add_argument("--note", type=line_of_text, action="append", default=[], help="a line below, may be repeated")
    command.add_argument("--copies", type=positive, default=1, help="of every label (default 1)")
    command.add_argument("--level", choices=LEVELS, default="M", help="error correction (default M)")
    add_processes(command)
    add_host(command)
