"""Coverage-guided fuzzing of the reader (模糊测试): ``python tests/fuzz/fuzz_reading.py --seconds 60``.

Begins with every published scan and follows whatever reaches new code. A finding is an exception, a place outside of
what arrived, or a code that does not read back from its own text. Texts that reached new code are kept in the folder
and begin the next run; a finding is written there as ``found-…``.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped, unused-ignore]

with atheris.instrument_imports(include=["cylinder_codes"]):
    from cylinder_codes.digital_link import format_printed_link
    from cylinder_codes.identifiers import Code, format_code_human
    from cylinder_codes.legacy_forms import parse_legacy_forms
    from cylinder_codes.reading import MAX_SCAN_LENGTH, read_scan
    from cylinder_codes.schemes import LEGACY_SCHEMES

FORMS = parse_legacy_forms("province=ZJ{digits:4-12}\nmaker=https://qp.example/?id=({any:1-30})-{digits:1-9}")
LIKE_A_LINK_OR_SEPARATOR = re.compile("[:;](?://|--)|<(?:GS|FNC1)>")
"""A GS1 value may hold these; it is then read from its link alone."""
VECTORS = Path(__file__).parents[1] / "vectors/codes"


def check(data: bytes) -> None:
    """Read one text; AssertionError when the answer is not a good one."""
    raw = data.decode("utf-8", "replace")
    for read in (read_scan(raw), read_scan(raw, legacy_forms=FORMS)):
        if isinstance(read, Code):
            _reads_back(read)
        elif read.position is not None and not 1 <= read.position <= len(raw) + 1:
            raise AssertionError(f"{raw!a}: position {read.position} lies outside")


def _reads_back(code: Code) -> None:
    for text in (code.text, format_printed_link(code)):
        if len(text) <= MAX_SCAN_LENGTH and read_scan(text) != code:
            raise AssertionError(f"{text!a} does not read back")
    if code.scheme in LEGACY_SCHEMES:
        return
    typed = read_scan(format_code_human(code))
    if typed != code and (isinstance(typed, Code) or not LIKE_A_LINK_OR_SEPARATOR.search(code.value)):
        raise AssertionError(f"{format_code_human(code)!a} does not read back")


def write_seeds(folder: Path) -> None:
    """Write every published scan as a file of its own."""
    scans = json.loads((VECTORS / "scans.json").read_text(encoding="utf-8"))
    published = json.loads((VECTORS / "gs1.json").read_text(encoding="utf-8"))
    raws = [vector["raw"] for vector in (*scans["read"], *scans["refused"], *published["vectors"])]
    for number, raw in enumerate(raws):
        (folder / f"{number:04d}").write_bytes(raw.encode("utf-8", "replace"))


def main() -> None:
    """Fuzz for so many seconds; leaves with 0, or with the finding on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz/reading"))
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_seeds(folder)
    limits = [f"-max_total_time={options.seconds}", "-max_len=700", "-timeout=5", f"-artifact_prefix={folder}/found-"]
    print(f"texts and findings: {folder}", file=sys.stderr)
    atheris.Setup([sys.argv[0], *limits, str(folder)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
