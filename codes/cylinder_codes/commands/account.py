"""The account (账目) of ranges as a table for a terminal, and as facts."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from cylinder_codes.book.values import Account, CodeRange, CodeState

_HEADS = {
    "range": "号段",
    "to": "分配给",
    "scheme": "体系",
    "allotted": "分配",
    "to issue": "待发",
    "issued": "已发",
    "unprinted": "未印",
    "printed": "已印",
    "applied": "已贴",
    "void": "作废",
}
_LEFT_ALIGNED = 3


def account_facts(code_range: CodeRange, account: Account) -> dict[str, Any]:
    """Return what --json says of a range."""
    terms, by_state = code_range.terms, account.by_state
    return {
        "range": code_range.name, "to": terms.holder, "scheme": terms.scheme.value, "prefix": terms.prefix,
        "key_name": terms.key_name, "key_id": terms.key_id, "opened_at": code_range.opened_at,
        "handed_out": code_range.handed_out, "allotted": account.allotted, "to_issue": account.to_issue,
        "issued": account.issued, "unprinted": by_state[CodeState.ISSUED],
        **{state.value: by_state[state] for state in CodeState if state != CodeState.ISSUED},
    }  # fmt: skip


def account_table(accounts: Sequence[tuple[CodeRange, Account]], *, total: bool) -> str:
    """Return a line for each range under headers in Chinese and English, with ``total`` their sums in one line more."""
    rows = [_row(code_range, account) for code_range, account in accounts]
    sums = [str(sum(int(row[place]) for row in rows)) for place in range(_LEFT_ALIGNED, len(_HEADS))]
    return _table([*rows, ["total 合计", "", "", *sums]] if total else rows)


def _row(code_range: CodeRange, account: Account) -> list[str]:
    terms = code_range.terms
    scheme = f"{terms.scheme.value} {terms.prefix}".strip()
    counts = (account.allotted, account.to_issue, account.issued, *(account.by_state[state] for state in CodeState))
    return [code_range.name, terms.holder_name, scheme, *map(str, counts)]


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [list(_HEADS.values()), list(_HEADS), *rows]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(_cells(line, widths)).rstrip() for line in lines)


def _cells(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (text, width) in enumerate(zip(line, widths, strict=True)):
        blanks = " " * (width - _width(text))
        yield text + blanks if place < _LEFT_ALIGNED else blanks + text


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
