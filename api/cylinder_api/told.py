"""A decision in words for the person at the scale, Chinese and English."""

from pydantic import BaseModel

from cylinder_trace.decision import Decision, Refusal
from cylinder_trace.reasons import REASONS, WARNINGS, Lift, NextAct, Strength, next_act, next_step, sentence


class Told(BaseModel):
    """One reason or warning as people read it: what was found, what to do next, on what basis, and who may lift it."""

    code: str
    word: str
    zh: str
    en: str
    next_zh: str
    next_en: str
    basis: str
    strength: Strength
    """How strong the evidence for the basis is: statute text, a published source, practice."""
    next_act: NextAct
    lift: Lift


def tell(decision: Decision) -> list[Told]:
    """Every reason and warning of `decision`, in its order."""
    return [_told(refusal) for refusal in (*decision.reasons, *decision.warnings)]


def _told(refusal: Refusal) -> Told:
    reason = (REASONS | WARNINGS)[refusal.code]
    return Told(
        code=refusal.code,
        word=refusal.word,
        zh=sentence(reason, refusal.detail, "zh"),
        en=sentence(reason, refusal.detail, "en"),
        next_zh=next_step(reason, "zh", refusal.detail),
        next_en=next_step(reason, "en", refusal.detail),
        basis=reason.basis,
        strength=reason.strength,
        next_act=next_act(reason, refusal.detail),
        lift=reason.lift,
    )
