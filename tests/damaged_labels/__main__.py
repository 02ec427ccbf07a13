"""`make damage`: how much damage a label stands, by decoders that are not ours; a table on standard output.

Always the same labels and the same damage. Exit 0 when the patches of 15 % at level H and 10 % at level Q are read as
often as wanted and no decoder gave a wrong text, 1 when not, 2 when it could not be measured.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from cylinder_codes.symbols import LEVELS
from damaged_labels.damages import KINDS
from damaged_labels.measure import Row, measure
from damaged_labels.report import as_json, heading, put_into, table


def main() -> int:
    """Measure every kind at every level and print the table; see ``--help``."""
    options = _arguments()
    kinds = [kind.name for kind in KINDS if kind.name.startswith(options.only)]
    if not kinds:
        print(f"no kind of damage begins with {options.only!r}: {', '.join(k.name for k in KINDS)}", file=sys.stderr)
        return 2
    rows = _measured(kinds, options.count)
    text = f"{heading(options.count)}\n\n{table(rows)}"
    print(json.dumps(as_json(rows, options.count), ensure_ascii=False) if options.json else text)
    if options.into:
        put_into(options.into, text)
    missed = [f"{row.kind} at {row.level}: {decoder}" for row in rows for decoder in row.missed]
    wrong = sum(row.wrong for row in rows)
    for line in [f"missed: {each}" for each in missed] + ([f"{wrong} wrong texts"] if wrong else []):
        print(line, file=sys.stderr)
    return 1 if missed or wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="pictures a kind and level (default 200)")
    parser.add_argument("--only", default="", metavar="BEGINNING", help="the kinds whose name begins so")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--into", type=Path, metavar="FILE", help="put the table into this document too")
    options = parser.parse_args()
    if options.count < 1:
        parser.error("--count must be 1 or more")
    return options


def _measured(kinds: list[str], count: int) -> list[Row]:
    rows: list[Row] = []
    began = time.monotonic()
    with ProcessPoolExecutor() as pool:
        running = [pool.submit(measure, kind, level, count) for kind in kinds for level in LEVELS]
        for done in as_completed(running):
            rows.append(row := done.result())
            left = (time.monotonic() - began) / len(rows) * (len(running) - len(rows))
            line = f"{len(rows)} of {len(running)}: {row.kind} at {row.level}, {left:.0f} s to go"
            print(line, file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
