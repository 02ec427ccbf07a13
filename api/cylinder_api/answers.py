"""Shapes that several answers share."""

from pydantic import BaseModel

from cylinder_trace.promise import SignedReceipt


class Recorded(BaseModel):
    """An act was recorded; the receipt holds the ledger's signed promise. The same act again gets the same receipt."""

    receipt: SignedReceipt
