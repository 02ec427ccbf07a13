"""What the public is told, in Chinese and English (公众用语): calm, whole sentences, and never an accusation.

The reasons are those of the decision; where the sentence for the person at the scale would point at somebody, the
public gets another one about the same fact.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from cylinder_api.catalogue import Language
from cylinder_codes.errors import CodeErrorKind
from cylinder_trace.cylinder import Status
from cylinder_trace.decision import Refusal
from cylinder_trace.reasons import REASONS, WARNINGS, NextAct, sentence

Verdict = Literal["in_order", "due_soon", "not_to_be_filled", "cannot_tell"]


class Words(NamedTuple):
    """The same in both languages."""

    zh: str
    en: str

    def told(self, language: Language) -> str:
        """In one of them."""
        return self.zh if language == "zh-CN" else self.en


VERDICTS: Mapping[Verdict, Words] = {
    "in_order": Words("登记正常", "In order"),
    "due_soon": Words("正常，即将到期", "In order, due soon"),
    "not_to_be_filled": Words("不得充装", "Not to be filled"),
    "cannot_tell": Words("现在无法判断", "Cannot tell now"),
}
IN_ORDER = Words("按登记，检验和使用年限都在有效期内", "By its record, inspection and service life are in date")
NO_RULEBOOK = Words("今天没有可用的判定规则", "No rules to judge by are in force today")
COMPARE = Words(
    "请看瓶身钢印，编号末尾应与下表相同；不同则不要使用",
    "Look at the number stamped in the steel: it must end as below; if it does not, do not use the cylinder",
)
ASK_LATER = Words("请稍后再扫一次", "Scan it again a little later")
_EXCHANGE = Words("请联系供气单位更换，并送检验机构检验", "Ask your supplier to exchange it and to have it inspected")
_STOP = Words(
    "请停止使用，关闭瓶阀，联系供气单位或产权单位收回",
    "Stop using it, shut its valve, and ask your supplier or its owner to take it back",
)
_ASK = Words(
    "请核对瓶身钢印，并向供气单位询问", "Compare the number stamped in the steel, and ask your supplier about it"
)
NEXT: Mapping[NextAct, Words] = {
    "scrap": _STOP, "inspect": _EXCHANGE, "reinspect": _EXCHANGE,
    **dict.fromkeys(("return", "correct", "drain", "mend", "check", "stop_station", "investigate", "rescan"), _ASK),
}  # fmt: skip
"""What a citizen does next, by what the person at the scale would do."""

_CALMLY: Mapping[tuple[str, str], Words] = {
    ("R06", ""): Words("此标签需要核对", "Its label needs to be looked at"),
    ("R06", "tag_replaced"): Words("此标签的更换批准还未登记", "The approval of its new label is not on record yet"),
    ("R13", "head_mark_of_another"): Words(
        "封头上的标记与登记的产权单位不同", "The mark on its head is not that of its owner of record"
    ),
    ("R15", ""): Words("产权变更手续还未完成", "Its change of owner is not complete yet"),
    ("R31", ""): Words("监管部门认定此瓶不再适合使用", "An authority found that it is no longer fit for use"),
    ("R32", ""): Words("监管部门已停止此瓶的充装和使用", "An authority has stopped its filling and use"),
    ("R35", ""): Words("制造资料还未核实", "The papers of its making could not be confirmed"),
    ("R37", ""): Words("瓶体或标志与登记不一致", "The cylinder or its marks are not as on record"),
    ("R38", ""): Words("登记单位正在查找此瓶", "Whoever registered it is looking for it"),
    ("R38", "seized"): Words("此瓶由监管部门封存", "An authority keeps it for the time being"),
    ("R46", "tare_below_model"): Words("登记的皮重需要核对", "Its tare on record needs to be looked at"),
}
"""(reason, cause) → what the public is told instead."""


def told_of(refusal: Refusal) -> Words:
    """One reason or warning as a sentence for the public."""
    cause = str(refusal.detail.get("because", ""))
    if calm := _CALMLY.get((refusal.code, cause)):
        return calm
    reason = REASONS.get(refusal.code) or WARNINGS[refusal.code]
    return Words(sentence(reason, refusal.detail, "zh"), sentence(reason, refusal.detail, "en"))


def next_of(refusal: Refusal) -> Words:
    """What a citizen does next about it."""
    return NEXT[(REASONS.get(refusal.code) or WARNINGS[refusal.code]).next_act]


_IN_USE = Words("在用", "in use")
_SCRAPPED = Words("已报废", "scrapped")
CONDITIONS: Mapping[Status, Words] = {
    **dict.fromkeys(("empty", "filled", "in_delivery", "at_customer"), _IN_USE),
    **dict.fromkeys(("condemned", "destroyed"), _SCRAPPED),
    "made": Words("已出厂，未建档", "made, not registered yet"),
    "in_inspection": Words("检验中", "being inspected"),
    "cancelled": Words("已注销", "registration cancelled"),
    "withdrawn": Words("登记已撤销", "registration withdrawn"),
}
"""The state as far as the public may know: where it is, and at whose house, is nobody's business."""

_NOT_OURS = Words(
    "路径中没有气瓶码：应在 /8003/、/8004/ 或 /c/ 之后", "no cylinder code: one is behind /8003/, /8004/ or /c/"
)
LINK_FAULTS: Mapping[str, Words] = {
    CodeErrorKind.WRONG_LENGTH: Words("码的位数不对", "the code has too few or too many characters"),
    CodeErrorKind.WRONG_CHARACTER: Words("此处的字符不该出现在码中", "a character that cannot stand there"),
    CodeErrorKind.WRONG_CHECK_DIGITS: Words("校验位不符", "the check digit does not fit the rest"),
    CodeErrorKind.MISSING_FILLER: Words(
        "GRAI 应以填充位 0 开头，此处缺少", "a GRAI begins with the filler 0, which is missing"
    ),
    CodeErrorKind.MISSING_SERIAL: Words(
        "GRAI 没有序列号，只表示一类气瓶", "a GRAI without serial names a type, not one cylinder"
    ),
    CodeErrorKind.SERIAL_TOO_LONG: Words("序列号过长", "the serial is longer than GS1 allows"),
    CodeErrorKind.UNKNOWN_SCHEME: Words("没有这种编码", "there is no such scheme of codes"),
    CodeErrorKind.NOT_A_LINK: _NOT_OURS,
    CodeErrorKind.FOREIGN_LINK: _NOT_OURS,
    "wrong_qualifier": Words(
        "码后只能有 GIAI 的 /7040/ 及其 4 位值", "behind a GIAI may stand /7040/ with 4 characters, nothing else"
    ),
}
"""What is wrong with a link, by the word of the error."""
