"""The documents are held to the truth: what they name exists, what they show recomputes, both languages agree."""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from typing import get_args

import pytest

import shipped

# the load tests are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

from benchmarks.catalogue import ROWS
from benchmarks.measure import meets
from cylinder_codes.keys import parse_vkey
from cylinder_trace.audit import FaultKind
from cylinder_trace.events import EVENT_CLASSES, Entry, Record
from cylinder_trace.proof import HistoryBundle, verify_bundle
from cylinder_trace.reasons import REASONS

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
FORMAT = ROOT / "docs" / "ledger-format.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [ENGLISH, CHINESE, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *PAGES, *DECISIONS]
SOURCES = [ROOT, *(ROOT / folder for folder in shipped.OURS.values())]
# paths that are not of the checkout: made by a command, of a data folder, of the service, of a subject
ELSEWHERE = ("dist/", ".data/", "issuer/", "keys/", "log/", "tile/", "station/", "pinglian-history-bundle/")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
CHINESE_TEXT = re.compile(r"[\u4e00-\u9fff]")
COMMAND = re.compile(r"(cylinder-(?:codes|trace|api)|station-agent) ([a-z][a-z-]*)(.*)")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def quoted_in(document: Path) -> list[str]:
    """Everything in `code marks`, outside fenced blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(document)))


def blocks_in(document: Path, language: str) -> list[str]:
    return [block for found, block in FENCE.findall(text_of(document)) if found == language]


def lines_to_type_in(document: Path) -> Iterator[str]:
    """Command lines, without their comments: those in fenced blocks and those quoted in the text."""
    for _, block in FENCE.findall(text_of(document)):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.partition("  #")[0].strip()
    yield from quoted_in(document)


def rows_in(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def sections_of(document: Path) -> list[str]:
    return re.split(r"^## ", FENCE.sub("", text_of(document)), flags=re.MULTILINE)[1:]


def found_in_sources(path: str) -> Path | None:
    return next((source / path for source in SOURCES if (source / path).exists()), None)


def names_defined_in(module: Path) -> set[str]:
    names = set()
    for node in ast.parse(text_of(module)).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
            names |= {f"{node.name}.{child.name}" for child in node.body if hasattr(child, "name")}
    return names


# --- what is named exists -----------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text_of(document))
    for name in [*quoted_in(document), *linked]:
        path = name.partition(": ")[0]
        is_path = PATH.fullmatch(path) and ("/" in path or path.endswith(".md"))
        if is_path and not path.startswith(ELSEWHERE):
            assert found_in_sources(path) or (document.parent / path).exists(), f"{document.name} names {path}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_function_that_a_document_names_is_where_it_says(document: Path) -> None:
    for quoted in quoted_in(document):
        path, _, name = quoted.partition(": ")
        if path.endswith(".py") and name:
            module = found_in_sources(path)
            assert module is not None, quoted
            assert name in names_defined_in(module), quoted


def test_life_of_a_fill_names_the_same_places_in_both_languages() -> None:
    english, chinese = ([name for name in quoted_in(readme) if ".py: " in name] for readme in (ENGLISH, CHINESE))
    assert english == chinese
    assert len(english) > 20


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_make_target_that_a_document_names_can_be_made(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    for line in lines_to_type_in(document):
        words = re.match(r"make((?: [a-z-]+)*)", line)
        assert words is None or set(words[1].split()) <= targets, line


def commands() -> list[tuple[str, str, tuple[str, ...]]]:
    """Program, command and options of every command line in the documents."""
    found = set()
    for line in (line for document in DOCUMENTS for line in lines_to_type_in(document)):
        if named := COMMAND.match(re.sub(r"^(?:\.venv|station)/bin/", "", line)):
            options = re.findall(r"(?<= )--[a-z-]+", re.split(r" [|>] ", named[3])[0])
            found.add((named[1], named[2], tuple(options)))
    return sorted(found)


@pytest.mark.parametrize(("program", "command", "options"), commands(), ids=str)
def test_every_command_that_a_document_names_is_understood(
    program: str, command: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program in {script.name for script in entry_points(group="console_scripts")}
    main = importlib.import_module(f"{program.replace('-', '_')}.cli").main
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    helped = capsys.readouterr().out
    assert not [option for option in options if option not in helped]


def test_the_commands_of_an_inspector_are_among_them() -> None:
    named = {(program, command) for program, command, _ in commands()}
    assert {("cylinder-trace", command) for command in "audit verify witness replay rulebook".split()} <= named


# --- both languages say the same ----------------------------------------------------------------------------


def test_both_readmes_have_the_same_sections() -> None:
    def shape(section: str) -> tuple[int, int]:
        return len(rows_in(section)), len(re.findall(r"^(?:\d+\.|-) ", section, re.MULTILINE))

    english, chinese = ([shape(section) for section in sections_of(readme)] for readme in (ENGLISH, CHINESE))
    assert english == chinese
    assert len(english) == 11


def test_both_readmes_type_the_same_commands() -> None:
    english, chinese = ("".join(blocks_in(readme, "sh")).splitlines() for readme in (ENGLISH, CHINESE))
    assert [line.partition("#")[0].split() for line in english] == [line.partition("#")[0].split() for line in chinese]


def test_the_glossary_has_forty_terms_in_both_languages() -> None:
    glossary = rows_in(text_of(ROOT / "docs" / "glossary.md"))
    assert len({row[0] for row in glossary}) == len(glossary) >= 40
    for english, chinese, meaning, in_chinese in glossary:
        assert english.isascii()
        assert meaning
        assert CHINESE_TEXT.search(chinese)
        assert CHINESE_TEXT.search(in_chinese)


def test_the_readmes_show_every_row_of_the_bench_and_call_a_missed_goal_missed() -> None:
    names = {f"`{row.name}`" for row in ROWS}
    english, chinese = ([row for row in rows_in(text_of(readme)) if row[0] in names] for readme in (ENGLISH, CHINESE))
    assert {row[0] for row in english} >= {f"`{row.name}`" for row in ROWS if row.sizes != "large"}
    for name, _ours, _other, ratio, goal, met in english:
        reached = meets(float(ratio), float(goal[1:]), "higher" if goal.startswith("≥") else "lower")
        assert met == ("met" if reached else "**missed**"), name
    assert english == chinese


def test_the_readmes_are_short_enough_to_be_read() -> None:
    assert max(len(text_of(readme).splitlines()) for readme in (ENGLISH, CHINESE)) < 300


def test_the_readmes_count_the_refusals_right() -> None:
    assert f"{len(REASONS)} refusals" in text_of(ENGLISH)
    assert f"{len(REASONS)} 条拒充原因" in text_of(CHINESE)


# --- changes and decisions ----------------------------------------------------------------------------------


def test_the_changelog_says_what_is_new() -> None:
    unreleased = text_of(ROOT / "CHANGELOG.md").partition("## [Unreleased]\n")[2]
    assert re.search(r"^- \S", unreleased.partition("\n## [")[0], re.MULTILINE)


def test_decision_pages_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_page_says_what_is_bad_about_it(page: Path) -> None:
    title, *_ = text_of(page).splitlines()
    assert title.startswith(f"# {page.name[:4]} · ")
    bad = re.split(r"^## .*bad consequences$", text_of(page), flags=re.IGNORECASE | re.MULTILINE)
    assert len(bad) == 2
    assert re.search(r"^- \S", bad[1].partition("\n## ")[0], re.MULTILINE)


# --- the format page can be recomputed ----------------------------------------------------------------------


def example_entries() -> list[bytes]:
    texts = re.findall(r"^printf '%s' '(\{.*\})' > entry-\d$", text_of(FORMAT), re.MULTILINE)
    assert len(texts) == 2
    return [text.encode() for text in texts]


def test_the_worked_hashes_of_the_format_page_recompute() -> None:
    told = re.findall(r"^# ([0-9a-f]{64})  -$", text_of(FORMAT), re.MULTILINE)
    hashes = [sha256(b"\0" + text).hexdigest() for text in example_entries()]
    assert hashes == told
    stored = json.loads((ROOT / "tests" / "vectors" / "entries.json").read_text(encoding="utf-8"))["entries"]
    assert set(told) <= {entry["hash"] for entry in stored}


def test_the_worked_checkpoint_of_the_format_page_verifies_as_a_history_bundle() -> None:
    entries = example_entries()
    note = re.search(r"<<'NOTE'\n(.*?)^NOTE$", text_of(FORMAT), re.MULTILINE | re.DOTALL)
    vkey = re.search(r"^vkey='(.*)'$", text_of(FORMAT), re.MULTILINE)
    proof = [block.strip() for block in blocks_in(FORMAT, "") if re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", block)]
    assert note
    assert vkey
    bundle = HistoryBundle(
        subject=json.loads(entries[0])["subject"],
        entries=tuple(text.decode() for text in entries),
        last_index=1,
        inclusion_proof=tuple(proof),
        checkpoint=note[1],
        log_vkey=vkey[1],
    )
    assert verify_bundle(bundle, [parse_vkey(vkey[1])]).entries == 2


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "sha256sum", "openssl"))), reason="needs sha256sum and openssl")
def test_the_format_page_runs_in_a_shell_and_answers_what_it_says(tmp_path: Path) -> None:
    script = "set -e\n" + "".join(blocks_in(FORMAT, "bash"))
    said = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    assert said.splitlines() == re.findall(r"^# (.*)$", "".join(blocks_in(FORMAT, "bash")), re.MULTILINE)


def test_the_format_page_explains_every_field_of_an_entry() -> None:
    rows = rows_in(text_of(FORMAT).partition("## Its hash")[0])
    assert {row[0].strip("`") for row in rows} == set(Entry.model_fields)
    assert {row[0].strip("`") for row in rows[-3:]} == set(Entry.model_fields) - set(Record.model_fields)


def test_the_format_page_explains_every_field_of_a_history_bundle() -> None:
    rows = rows_in(text_of(FORMAT).partition("## The history bundle")[2].partition("\n## ")[0])
    assert [row[0].strip("`") for row in rows] == list(HistoryBundle.model_fields)


def test_the_format_page_names_faults_and_events_that_exist() -> None:
    faults = re.findall(r"`(\w+)`", text_of(FORMAT).partition("entry and the field:")[2])
    assert faults
    assert set(faults) <= set(get_args(FaultKind))
    assert "head_signed" in EVENT_CLASSES


@pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=lambda readme: readme.name)
def test_the_shell_lines_of_a_readme_can_be_pasted_into_a_shell(readme: Path) -> None:
    for block in blocks_in(readme, "sh"):
        subprocess.run(["sh", "-n"], input=block, check=True, text=True)
