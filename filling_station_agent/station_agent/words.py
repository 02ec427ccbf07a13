"""What the filler is told: each refusal's sentence and next step, and the few sentences that are no refusal."""

from typing import NamedTuple

from cylinder_trace.decision import Decision, Finding, Refusal
from cylinder_trace.reasons import REASONS, WARNINGS, next_step, sentence

Said = tuple[str, str]
"""A sentence in Chinese and in English."""


class Told(NamedTuple):
    """A refusal or warning as the screen shows it."""

    code: str
    zh: str
    en: str
    next_zh: str
    next_en: str


def told(refusal: Refusal) -> Told:
    """The sentences of a refusal; one that only a newer service knows is shown by its word."""
    reason = REASONS.get(refusal.code) or WARNINGS.get(refusal.code)
    try:
        if reason is not None:
            zh, en = sentence(reason, refusal.detail, "zh"), sentence(reason, refusal.detail, "en")
            return Told(refusal.code, zh, en, next_step(reason, "zh"), next_step(reason, "en"))
    except KeyError:  # another version's findings
        pass
    return Told(refusal.code, f"不予充装:{refusal.word}", f"Not to be filled: {refusal.word}", *CALL_MANAGER)


def all_told(decision: Decision) -> list[Told]:
    """Every refusal and warning of a decision, in its order."""
    return [told(refusal) for refusal in (*decision.reasons, *decision.warnings)]


def fields(said: Said) -> dict[str, str]:
    """A sentence as fields of a JSON line."""
    return {"zh": said[0], "en": said[1]}


def _said(code: str) -> Said:
    """A refusal whose sentence needs no facts, with what to do next."""
    reason = REASONS[code]
    zh, en = f"{reason.zh}。{next_step(reason, 'zh')}", f"{reason.en}. {next_step(reason, 'en')}"
    return zh, en


# fmt: off
CALL_MANAGER: Said = ("放入待处理区,通知站长。", "Put it in the hold area and call the station manager.")
SCALE_FAULT: Said = ("秤无应答或不稳定,阀门保持关闭。检查秤后重新扫码。",
                     "The scale does not answer or rest; the valve stays shut. Look at the scale and scan again.")
JOURNAL_BROKEN: Said = _said("R67")
STARTED_TOO_LATE: Said = ("准充令已失效,请重新扫码。", "The permit has run out; scan again.")
DENIED_LATE: Said = ("服务端要求停止充装,阀门已关。", "The service asked to stop; the valve is shut.")
LOCKED: Said = ("监管部门已锁定本秤,阀门已关。通知站长。",
                "The regulator has locked this scale; the valve is shut. Call the station manager.")
FILL_FAULT: Said = ("充装中断,阀门已关,已记录。通知站长。",
                    "The fill was interrupted, the valve is shut, it is on record. Call the station manager.")
NO_GAS: Said = ("阀门未能打开,没有充气。重新扫码。", "The valve did not open and no gas flowed. Scan again.")
BUSY: Said = ("上一只还在进行中,请稍候再扫。", "The last cylinder is still under way; scan again in a moment.")
SCAN_AGAIN: Said = ("扫码不完整,请再扫一次。", "The scan was not complete; scan once more.")
NO_LANE: Said = ("分不清是哪一工位,请用工位上的扫码枪再扫。",
                 "It is not clear which lane this was; scan again with the lane's own scanner.")
STAMP_UNREADABLE: Said = ("钢印读数无法识别,请重读钢印。",
                          "The reading of the stamp is not understood; read the stamp again.")
NO_SUCH_CARD: Said = ("认不出这张卡。", "This card is not known.")
FINDINGS: dict[Finding, Said] = {
    "stamp_mismatch": ("钢印与档案不符", "stamp differs from the file"),
    "mark_absent": ("没有检验标识", "inspection mark missing"),
    "mark_differs": ("检验标记与记录不符", "inspection mark differs from the record"),
    "body_damaged": ("瓶体损伤", "body damaged"),
    "valve_damaged": ("瓶阀松动、损坏或异形", "valve loose, damaged or of a wrong kind"),
    "tag_refitted": ("标签有换贴痕迹", "tag looks refitted"),
    "stamp_altered": ("钢印有打磨、补打痕迹", "stamp ground off or struck anew"),
    "refurbished": ("翻新瓶", "refurbished"),
    "scrap_mark": ("有报废标记", "scrap mark"),
    "head_mark_absent": ("封头无充装单位凹印", "no filling company's mark on the head"),
    "threaded_collar": ("螺纹护罩(螺丝瓶)", "screwed-on collar"),
    "dual_phase": ("气液双相,未标明", "for gas and liquid, not painted as such"),
    "converted": ("改装", "converted"),
    "fittings_missing": ("护罩、底座、手轮缺损", "collar, foot ring or hand wheel missing"),
    "marking_wrong": ("颜色、字样不符", "colour or lettering wrong"),
    "not_evacuated": ("无余压或未抽真空", "no pressure left, or not evacuated"),
    "tare_unclear": ("皮重不清", "tare illegible"),
}
"""What the finding cards (检查卡) of the wall say: `PL:F:<finding>`."""
STATEMENTS: dict[str, Said] = {
    "checked": ("充装前检查已做", "the pre-fill list was gone through"),
    "evacuated": ("已抽真空或置换", "evacuated or purged"),
}
"""What the cards about the work before the fill say: `PL:P:<statement>`."""


def cards() -> dict[str, Said]:
    """What a card holds, and what is to be printed on it, for all cards of the wall."""
    found = {f"PL:F:{finding}": said for finding, said in FINDINGS.items()}
    return {**found, **{f"PL:P:{statement}": said for statement, said in STATEMENTS.items()}}
# fmt: on
