"""What the issue book speaks of: ranges (号段), the states of a code, and a range's account (账目).

    issued 未印 ──> printed 已印 ──> applied 已贴
        └──────────────┴──────────> void 作废

Applied and void are final: what is on a cylinder is the ledger's business from then on, and a void code never lives
again. The account of a range always balances::

    allotted 分配 = issued 已发 + still to issue 待发
    issued   已发 = unprinted 未印 + printed 已印 + applied 已贴 + void 作废

Worked example: 1 000 allotted, a kill after 600; 500 of them printed, of which 420 applied and 3 spoiled: to issue 400,
issued 600 = unprinted 100 + printed 77 + applied 420 + void 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import (
    PAYLOAD_BYTES,
    SEALED_RANDOM_BYTES,
    Code,
    format_code_human,
    make_code,
    make_giai,
    make_grai,
)
from cylinder_codes.schemes import Scheme


class CodeState(StrEnum):
    """What has become of a code. The account calls the first state unprinted (未印)."""

    ISSUED = "issued"
    PRINTED = "printed"
    APPLIED = "applied"
    VOID = "void"


STATE_NAMES_ZH = {
    CodeState.ISSUED: "未印",
    CodeState.PRINTED: "已印",
    CodeState.APPLIED: "已贴",
    CodeState.VOID: "作废",
}
STATES_BEFORE = {
    CodeState.PRINTED: (CodeState.ISSUED,),
    CodeState.APPLIED: (CodeState.PRINTED,),
    CodeState.VOID: (CodeState.ISSUED, CodeState.PRINTED),
}
"""From which states a mark may lead to a state."""


@dataclass(frozen=True, slots=True)
class RangeTerms:
    """What a range is allotted on: how many codes, to whom, in which scheme, under which tag key.

    ``prefix`` is the asset type of 12 digits (GRAI), the company prefix (GIAI), or empty (own scheme).
    """

    allotted: int
    holder: str
    key_name: str
    key_id: str
    scheme: Scheme = Scheme.OWN
    prefix: str = ""

    @classmethod
    def under(
        cls, key: TagKey, allotted: int, holder: str = "", scheme: Scheme = Scheme.OWN, prefix: str = ""
    ) -> "RangeTerms":
        """Return the terms of a range under ``key``; an empty holder means for the issuer's own use (自用)."""
        return cls(allotted, holder, key.name, key.key_id.hex(), scheme, prefix)

    @property
    def holder_name(self) -> str:
        """To whom, in words."""
        return self.holder or "own use (自用)"

    @property
    def random_bytes_each(self) -> int:
        """How many fresh random bytes one code takes."""
        return PAYLOAD_BYTES if self.scheme == Scheme.OWN else SEALED_RANDOM_BYTES

    def make(self, random_bytes: bytes, key: TagKey) -> Code:
        """Make one code of this range. CodeError or ValueError when the prefix does not suit the scheme."""
        if self.scheme == Scheme.GRAI:
            return make_grai(self.prefix, random_bytes, key)
        if self.scheme == Scheme.GIAI:
            return make_giai(self.prefix, random_bytes, key)
        return make_code(random_bytes, key)


@dataclass(frozen=True, slots=True)
class CodeRange:
    """A range (号段): its name, its terms, and how many of its codes the book holds by now.

    Its codes are numbered 1, 2, 3 … without a hole; ``opened_at`` in UTC milliseconds.
    """

    range_no: int
    name: str
    terms: RangeTerms
    opened_at: int
    issued: int = 0
    handed_out: bool = False
    """Whether the codes have left the book in a file that is whole."""

    @property
    def complete(self) -> bool:
        """Whether every code allotted is in the book."""
        return self.issued == self.terms.allotted


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers ``first`` to ``last`` of a range."""

    code_range: CodeRange
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """One line of the book; ``issued_at`` in UTC milliseconds."""

    range_name: str
    number: int
    code: Code
    issued_at: int

    def __str__(self) -> str:
        return f"{self.range_name} number {self.number} ({format_code_human(self.code)})"


@dataclass(frozen=True, slots=True)
class Mark:
    """What the book notes about the codes ``first`` to ``last`` of a range: all of them were ``was``, and became."""

    first: int
    last: int
    was: CodeState
    became: CodeState
    marked_at: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class FoundCode:
    """All that the book knows about one code; its marks in the order in which they were made."""

    issued: IssuedCode
    code_range: CodeRange
    state: CodeState
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """The account (账目) of one range, in codes."""

    allotted: int
    issued: int
    by_state: Mapping[CodeState, int]
    """How many of the issued codes are in which state now."""

    @property
    def to_issue(self) -> int:
        """Allotted, but not in the book yet."""
        return self.allotted - self.issued
