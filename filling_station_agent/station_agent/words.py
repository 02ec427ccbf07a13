"""What the filler is told: each refusal's sentence and next step, and the few sentences that are no refusal."""

from collections.abc import Mapping
from typing import NamedTuple

from cylinder_trace.decision import Decision, Finding, Refusal
from cylinder_trace.reasons import REASONS, WARNINGS, Reason, next_step, sentence

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
            return Told(refusal.code, *_sentences(reason, refusal.detail), *_steps(reason, refusal.detail))
    except KeyError:  # another version's findings
        pass
    return Told(refusal.code, f"不予充装:{refusal.word}", f"Not to be filled: {refusal.word}", *CALL_MANAGER)


def _sentences(reason: Reason, detail: Mapping[str, str | int]) -> Said:
    return sentence(reason, detail, "zh"), sentence(reason, detail, "en")


def _steps(reason: Reason, detail: Mapping[str, str | int]) -> Said:
    return next_step(reason, "zh", detail), next_step(reason, "en", detail)


def all_told(decision: Decision) -> list[Told]:
    """Every refusal and warning of a decision, in its order."""
    return [told(refusal) for refusal in (*decision.reasons, *decision.warnings)]


def fields(said: Said) -> dict[str, str]:
    """A sentence as fields of a JSON line."""
    return {"zh": said[0], "en": said[1]}


def _said(code: str) -> Said:
    """A refusal whose sentence needs no facts, with what to do next."""
    reason = REASONS[code]
    zh, en = _steps(reason, {})
    return f"{reason.zh}。{zh}", f"{reason.en}. {en}"


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
NOT_FULL: Said = ("未充到目标,阀门已提前关闭,已记录。", "The valve shut before the target; what flowed is on record.")
NO_GAS: Said = ("阀门未能打开,没有充气。重新扫码。", "The valve did not open and no gas flowed. Scan again.")
NOT_SEEN_TO_END: Said = ("上次充装中断,秤上看不出充气。核对秤上是否原瓶。",
                         "The last fill was interrupted; the scale shows no gas. Is it the same cylinder?")
LEFT_OPEN: Said = ("上次充装还没有结束记录:气瓶勿动,检查秤。秤一应答即关阀、称重、记录。",
                   "This fill has no end on record: leave the cylinder, look at the scale.")
RECORDED_LATE: Said = ("上一只的充装已补记。扫下一只。", "The last fill is on record now. Scan the next cylinder.")
BUSY: Said = ("上一只还在进行中,请稍候再扫。", "The last cylinder is still under way; scan again in a moment.")
SCAN_AGAIN: Said = ("扫码不完整,请再扫一次。", "The scan was not complete; scan once more.")
OTHER_LANES_SCANNER: Said = ("这把扫码枪是另一工位的,请放回原工位,用本工位的扫码枪再扫。",
                             "This scanner is another lane's: put it back to its lane and scan with this lane's own.")
NO_LANE: Said = ("分不清是哪一工位,请用工位上的扫码枪再扫。",
                 "It is not clear which lane this was; scan again with the lane's own scanner.")
STAMP_UNREADABLE: Said = ("钢印读数无法识别,请重读钢印。",
                          "The reading of the stamp is not understood; read the stamp again.")
BUSY_AT: Said = ("同一个码正在另一工位处理。", "The same code is under way at another lane.")
STOPPED_BY_NEWS: Said = ("收到新的禁充信息,阀门已关,已记录。通知站长。",
                         "News came that forbids this fill; the valve is shut. Call the station manager.")
DAMAGED_FOUND: Said = ("按钢印找到档案,请对照。码已损坏,不能充装:放入待处理区,办理换标。",
                       "Found by its stamp; compare. Its code is damaged: hold area, have it tagged anew.")
DAMAGED_UNKNOWN: Said = ("按这些钢印找不到档案。放入待处理区,通知站长。",
                         "No file fits this stamp. Put it in the hold area and call the station manager.")
DAMAGED_SEVERAL: Said = ("有几只气瓶符合,请再读一项钢印后重试。",
                         "Several cylinders fit; read one more field of the stamp and try again.")
TWO_FIELDS: Said = ("先读钢印两项:出厂编号,再加制造单位、年月、型号或皮重。",
                    "First read two fields of the stamp: the serial, and maker, month, model or tare.")
SIGNED_ON_FILLER: Said = ("充装人已上岗。", "Signed on as filler.")
SIGNED_ON_CHECKER: Said = ("检查人已上岗。", "Signed on as checker.")
NOT_CERTIFIED: Said = ("本站没有此人的有效证件。通知站长。",
                       "This station knows no certificate of this person in force. Call the station manager.")
OTHER_ROLE_LEFT: Said = ("一人一岗:原岗位已空,请另一人刷卡。",
                         "One person, one role: the other role is free now, the second person reads a badge.")
NEXT_IS_CHECKER: Said = ("请检查人刷卡。", "The checker's badge, please.")
TYPE_PIN: Said = ("请输入口令。", "Type the PIN.")
PIN_WRONG: Said = ("工号或口令不对。", "Worker id or PIN is wrong.")
PIN_LOCKED: Said = ("错误次数过多,请稍后再试或刷卡。", "Too many wrong tries; wait some minutes, or use the badge.")
PIN_TOO_LATE: Said = ("口令输入超时,请从工号重新开始。", "The PIN came too late; begin with the worker id again.")
LEFT_ALONE: Said = ("工位长时间无人,已自动签退。请重新刷卡。",
                    "The lane was left alone and has signed off by itself. Read a badge again.")
WAIT_FOR_END: Said = ("等这一只结束再交接。", "Hand over when this cylinder is finished.")
NO_CHECKER: Said = ("没有检查人上岗,不能复秤。检查人先刷卡。",
                    "No checker is signed on; the checker's badge first, then weigh again.")
SECOND_PERSON: Said = ("复秤和检查须由另一人做,充装人不能检查自己充的瓶。",
                       "Another person than the filler weighs it again and checks it.")
NO_FILL_HERE: Said = ("本站没有这只气瓶的充装记录。放入待处理区,通知站长。",
                      "No fill of it is on record here. Put it in the hold area and call the station manager.")
OVER_LIMIT: Said = ("超装:抽出超过部分后再复秤,不得出站。",
                    "It holds too much: draw off what is above the limit and weigh again; it must not leave.")
CHECK_FAILED: Said = ("充装后检查不合格:放空、隔离,不得出站。",
                      "It failed the check after the fill: empty and set it apart; it must not leave.")
NUMBERS_MISSING: Said = ("重量合格。扫封口号和标签号,再扫这只气瓶。",
                         "Its weight is good. Scan the seal and the label, then the cylinder again.")
CHECKED: Said = ("复秤和检查合格,可以出站。", "Weighed again and checked; it may leave.")
NOT_READ_AFTER: Said = ("二维码读不出。擦净再扫一次。", "The code cannot be read. Wipe it and scan once more.")
AFTER_ONLY: Said = ("这张卡用于充装后检查:先扫“复秤”卡。",
                    "This card is for the check after the fill: scan the card “weigh again” first.")
FILLS_NOTHING: Said = ("这是复检工位,不充装。", "This lane only weighs again; it does not fill.")
NOT_PRINTED: Said = ("挂牌票没有打印出来,请手写挂牌。", "The ticket could not be printed; write it by hand.")
NOT_TO_BE_FILLED: Said = ("不予充装", "NOT TO BE FILLED")
NOT_TO_LEAVE: Said = ("不得出站", "NOT TO LEAVE")
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
FAULTS_AFTER: dict[str, Said] = {
    "leaking": ("检漏不合格", "leaking at valve or neck"),
    "bulging": ("鼓包、变形或异常温升", "bulging, deformed or unusually warm"),
    "labels_missing": ("警示标签、充装标签或封口缺", "warning label, filling label or seal missing"),
    "valve_damaged": FINDINGS["valve_damaged"],
    "body_damaged": FINDINGS["body_damaged"],
    "fittings_missing": FINDINGS["fittings_missing"],
    "marking_wrong": FINDINGS["marking_wrong"],
}
"""What the cards `PL:F:<fault>` say about a full cylinder (充装后检查); the last four are those of before the fill."""
STATEMENTS: dict[str, Said] = {
    "checked": ("充装前检查已做", "the pre-fill list was gone through"),
    "evacuated": ("已抽真空或置换", "evacuated or purged"),
    "damaged": ("码已损坏,按钢印查", "code damaged, look it up by the stamp"),
    "reweigh": ("复秤:下一只是重瓶", "weigh again: the next cylinder is full"),
    "checker": ("下一张工牌是检查人", "the next badge is the checker's"),
    "handover": ("交接班", "hand over the shift"),
}
"""What the cards about work and shift say: `PL:P:<statement>`."""
MEASURED: dict[str, Said] = {
    "residue=": ("残液,克", "residue, grams"),
    "lot=": ("气质批次", "gas lot"),
    "stock=": ("罐存,克", "what the tank holds, grams"),
    "seal=": ("封口号", "number of the seal"),
    "label=": ("充装标签号", "number of the filling label"),
}
"""Statements that a device or the keyboard completes: `PL:P:residue=350`, `PL:P:seal=A123`."""


def cards() -> dict[str, Said]:
    """What a card holds, and what is to be printed on it, for all cards of the wall."""
    found = {f"PL:F:{finding}": said for finding, said in FINDINGS.items()}
    after = {f"PL:F:{fault}": said for fault, said in FAULTS_AFTER.items()}
    return {**found, **after, **{f"PL:P:{statement}": said for statement, said in STATEMENTS.items()}}
# fmt: on
