"""Shapes that several answers share."""

from pydantic import BaseModel, ConfigDict


class ReceiptAnswer(BaseModel):
    """Where an act stands in the ledger. The same act sent again gets the same receipt."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    subject: str
    n: int
    """Position in the subject's own chain, from 0."""
    index: int
    """Leaf index in the log."""
    hash: str
    recorded_at: int
    """The ledger's clock, UTC ms."""


class Recorded(BaseModel):
    """An act was recorded."""

    receipt: ReceiptAnswer
