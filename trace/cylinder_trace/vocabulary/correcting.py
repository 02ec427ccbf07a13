"""What was told wrongly: corrections and disputes (更正、争议). Nothing is edited; the old entry stays where it is."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from cylinder_trace.values import Count, Evidence, Frozen, Id, Text

FieldPath = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,3}$")]
"""A field inside an event's data, with dots between levels: ``inspected_month``, ``stamp.serial``."""
CorrectedValue = Text | Count
"""A field's value as text (also months and days) or as an integer."""


class Corrected(Frozen):
    """One field of an earlier entry was wrong (更正): which entry, which field, what it said, what is true, and why.

    The correction is applied on top: the state takes `now` where it still holds what the corrected entry had said.
    Where a newer fact has replaced it meanwhile, nothing changes but the history.
    """

    type: ClassVar[str] = "corrected"
    entry_id: Id
    entry_type: Id
    """The word of the entry that is corrected, so that this entry can be understood alone."""
    field: FieldPath
    was: CorrectedValue | None = None
    """Absent when the entry did not state the field."""
    now: CorrectedValue
    reason: Text
    approver_id: Id
    """The second person who agreed."""
    evidence: tuple[Evidence, ...] = ()


class DisputeRaised(Frozen):
    """Two accounts of the same act differ (争议): nothing is rejected away, a person looks."""

    type: ClassVar[str] = "dispute_raised"
    about_id: Id
    kind: Id
    message: Text


class DisputeResolved(Frozen):
    """A person looked at a dispute and says how it ended (争议处理)."""

    type: ClassVar[str] = "dispute_resolved"
    dispute_id: Id
    outcome: Literal["upheld", "dismissed", "corrected"]
    """成立、不成立、已更正."""
    reason: Text
    evidence: tuple[Evidence, ...] = ()
