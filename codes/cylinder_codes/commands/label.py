"""``cylinder-codes label``: a label for every code."""

import argparse
from pathlib import Path
from typing import Any

from cylinder_codes.commands.common import GOOD, CannotCheck, add_command, add_host, pixels, progress, read_codes, say
from cylinder_codes.labels import label_png


def _label(options: argparse.Namespace) -> int:
    codes = read_codes(options.codes, options.host)
    if options.out.is_file():
        raise CannotCheck(f"{options.out} is a file, not a folder: name a folder for the pictures")
    options.out.mkdir(parents=True, exist_ok=True)
    with progress("drawn", len(codes)) as show:
        for count, code in enumerate(codes, start=1):
            picture = label_png(code, host=options.host, level=options.level, module_px=options.module_px)
            (options.out / f"{code.text}.png").write_bytes(picture)
            show(count)
    say(options, f"{len(codes)} labels are in {options.out}", labels=len(codes), out=str(options.out))
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "label",
        _label,
        "draw a label for every code, as PNG",
        "Needs cylinder-codes[labels].",
        example="--codes codes.csv --out labels",
    )
    command.add_argument("--codes", type=Path, required=True, help="CSV file of issue, or one code a line")
    command.add_argument("--out", type=Path, required=True, help="folder for the pictures, <CODE>.png")
    command.add_argument("--level", choices=("L", "M", "Q", "H"), default="M", help="error correction (default M)")
    command.add_argument("--module-px", type=pixels, default=10, help="pixels a module, 4 to 100 (default 10)")
    add_host(command)
