"""Every refusal: code, word, what the person at the scale is told, what happens next, and on what basis.

The word is the same in code, database, API and screen, and it is the name of the rule's function.  The texts
never accuse: they say what was found and what to do.  `{name}` in a text is filled from the rule's findings.
Strength of evidence: ``law`` statute text read; ``published`` found at a published source; ``practice`` trade
practice or our own proposal, to be confirmed against the official text before it is quoted to an authority.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from cylinder_trace.cylinder import STATUS_ZH

NextAct = Literal[
    "inspect",
    "scrap",
    "return",
    "correct",
    "drain",
    "mend",
    "check",
    "stop_station",
    "investigate",
    "reinspect",
    "rescan",
]
Lift = Literal["never", "new_evidence_and_second_person", "flagging_authority"]
Strength = Literal["law", "published", "practice"]

_NOTHING: Mapping[str, str | int] = {}
NEXT_STEPS: dict[NextAct, tuple[str, str]] = {
    "inspect": ("挂黄牌,送检验机构。", "Hang the yellow tag and send it to the inspection body."),
    "scrap": ("放入红架,移交检验机构报废。", "Put it on the red rack for the inspection body to scrap."),
    "return": ("放入待处理区,退回产权单位。", "Put it in the hold area and return it to its owner."),
    "correct": (
        "请值班长核对并更正档案,再扫码。",
        "Ask the shift leader to correct the file, then scan again.",
    ),
    "drain": ("先抽出残液,再扫码。", "Draw off the residue first, then scan again."),
    "mend": ("补好颜色、字样和标志,再扫码。", "Mend colour, lettering and sign, then scan again."),
    "check": ("做完充装前检查,再扫码。", "Go through the pre-fill list, then scan again."),
    "stop_station": ("停止本秤充装,通知站长。", "Stop filling at this scale and call the station manager."),
    "investigate": ("放入待处理区,通知站长核查。", "Put it in the hold area and call the station manager."),
    "reinspect": (
        "放入待处理区,通知站长核查,重新送检。",
        "Put it in the hold area and call the station manager; it is to be inspected anew.",
    ),
    "rescan": ("擦净二维码,再扫一次。", "Wipe the code and scan once more."),
}


class Reason(NamedTuple):
    """One refusal of the table of refusals (R01–R69)."""

    code: str
    word: str
    zh: str
    en: str
    next_act: NextAct
    lift: Lift
    basis: str
    strength: Strength


_TABLE = (
    Reason("R01", "code_unreadable", "二维码读不出:{why}", "The code cannot be read: {why}",
           "rescan", "never", "一瓶一码;重庆市特种设备安全条例29", "law"),
    Reason("R02", "cylinder_unknown", "本系统没有这只气瓶的档案", "No cylinder is on file under this code",
           "correct", "new_evidence_and_second_person", "特种设备安全法35、49", "law"),
    Reason("R03", "code_seen_elsewhere", "{minutes} 分钟前同一个码在另一处({station_id})出现", "The same code was seen "
           "{minutes} min ago at another place ({station_id})", "investigate", "never", "电子标识唯一性", "practice"),
    Reason("R04", "stamp_mismatch", "钢印与档案不一致", "The stamp on the steel differs from the file",
           "investigate", "new_evidence_and_second_person", "特种设备安全法49", "law"),
    Reason("R05", "code_voided", "此码已注销", "This code has been cancelled",
           "scrap", "never", "特种设备安全法48", "law"),
    Reason("R06", "tag_not_approved", "标签有换贴的痕迹", "The tag shows signs of having been refitted",
           "investigate", "new_evidence_and_second_person", "换标须经批准;上海:擅自换标按充装非自有气瓶处理", "published"),
    Reason("R10", "not_owned_by_station", "产权单位是 {owner_id},不是本充装单位", "Its owner is {owner_id}, not this "
           "station's company", "return", "never", "城镇燃气管理条例18(七)", "law"),
    Reason("R11", "not_registered", "投用超过 {days} 天仍未办理使用登记", "Not registered within {days} days of service",
           "correct", "never", "特种设备安全法33、83", "law"),
    Reason("R12", "technical_file_missing", "产品合格证或监检证不在档", "Its product certificate or certificate of supervised "
           "making is not on file", "correct", "never", "特种设备安全法35、83", "law"),
    Reason("R13", "head_mark_missing", "封头没有充装单位凹印", "Its head does not bear the filling company's mark",
           "scrap", "never", "市场监管总局2021年通知:2021-06-01起封头凹印", "published"),
    Reason("R14", "registered_twice", "此瓶有两个有效登记", "It has two live registrations",
           "investigate", "new_evidence_and_second_person", "一只气瓶一个充装单位", "published"),
    Reason("R15", "transfer_cooling", "产权变更未满 {days} 天或未经原单位会签", "Ownership changed less than {days} days "
           "ago or without the old owner's signature", "investigate", "new_evidence_and_second_person",
           "防止借转户洗瓶", "practice"),
    Reason("R20", "inspection_overdue", "检验已于 {due} 到期", "Inspection was due in {due}",
           "inspect", "never", "特种设备安全法40、84;浙江特设条例10(二)", "law"),
    Reason("R21", "inspection_failed", "{inspected} 检验不合格", "It failed inspection in {inspected}",
           "scrap", "never", "特种设备安全法84(一);浙江特设条例10(三)", "law"),
    Reason("R22", "inspection_not_credible", "检验标记的日期对不上:{inspected} 检,有效至 {due}", "The months on the "
           "inspection mark do not fit: inspected {inspected}, next due {due}", "reinspect", "never",
           "检验报告不得弄虚作假;贵港市2021年检验标记处罚案", "published"),
    Reason("R23", "inspection_mark_absent", "没有检验标识", "The inspection mark is missing",
           "inspect", "never", "浙江特设条例10(一)", "law"),
    Reason("R24", "service_life_ended", "使用年限已于 {until} 届满", "Its service life ended in {until}",
           "scrap", "never", "浙江特设条例10(四)", "law"),
    Reason("R25", "manufacture_date_unknown", "制造日期不明", "Its date of manufacture is unknown",
           "scrap", "never", "制造日期不明按报废处理", "published"),
    Reason("R26", "not_evaluated", "已到设计年限({until}),未经安全评定并变更登记", "Its design life ended in {until} and it "
           "has not been evaluated and re-registered", "inspect", "never", "特种设备安全法48", "law"),
    Reason("R30", "scrapped", "此瓶已判报废", "It has been condemned", "scrap", "never", "特种设备安全法84(一)(三)", "law"),
    Reason("R31", "refurbished", "此瓶被认定为翻新瓶", "It has been found to be refurbished",
           "scrap", "never", "禁止充装翻新气瓶", "published"),
    Reason("R32", "black_cylinder", "此瓶被标记为黑气瓶", "It is marked as a black cylinder (黑气瓶)",
           "scrap", "flagging_authority", "禁止充装、销售黑气瓶", "published"),
    Reason("R33", "threaded_collar", "护罩是螺纹连接的(螺丝瓶)", "Its collar is screwed on (螺丝瓶)",
           "scrap", "never", "螺丝瓶2011-10-01前全部报废", "published"),
    Reason("R34", "dual_phase_not_permitted", "气液双相瓶,不予充装", "It is for gas and liquid (气液双相) and not permitted here",
           "scrap", "never", "GB 5842-2023;气液双相瓶召回报废", "published"),
    Reason("R35", "maker_not_licensed", "制造单位查不到制造许可", "No licence of its maker is known for the time it was made",
           "scrap", "never", "特种设备安全法84(一)", "law"),
    Reason("R36", "recalled", "此瓶属于召回批次", "It belongs to a recalled batch",
           "scrap", "flagging_authority", "问题瓶产品黑名单", "published"),
    Reason("R37", "converted", "瓶体或标志被改动过", "The cylinder or its marks have been changed",
           "scrap", "never", "浙江省燃气管理条例20(三);重庆市特种设备安全条例30(二)", "law"),
    Reason("R38", "reported_lost", "此瓶已报失,正在协查", "It has been reported lost",
           "investigate", "flagging_authority", "协查", "practice"),
    Reason("R40", "body_damaged", "瓶体有损伤", "The body is damaged", "inspect", "never", "充装前检查 P10", "published"),
    Reason("R41", "valve_damaged", "瓶阀松动、损坏或不合规", "The valve is loose, damaged or of a wrong kind",
           "inspect", "never", "充装前检查 P12;GB 7512", "published"),
    Reason("R42", "fittings_missing", "护罩、底座、手轮或螺栓缺损", "Collar, foot ring, hand wheel or bolts are missing or broken",
           "inspect", "never", "充装前检查 P11", "published"),
    Reason("R43", "marking_wrong", "颜色、字样或充装单位标志不符", "Colour, lettering or the filling company's sign is not as "
           "prescribed", "mend", "never", "充装前检查 P5", "published"),
    Reason("R44", "not_evacuated", "瓶内无余压,或首次充装未抽真空", "No pressure is left in it, or it was not evacuated for its first "
           "fill", "inspect", "never", "充装前检查 P8、P9", "published"),
    Reason("R45", "residue_not_drawn_off", "残液 {residue_g} 克,超过 {most_g} 克", "It holds {residue_g} g of residue, more than "
           "{most_g} g", "drain", "never", "浙江省燃气管理条例20(六)", "law"),
    Reason("R46", "tare_drift", "空瓶称重 {empty_g} 克,钢印皮重 {tare_g} 克,相差过大", "It weighs {empty_g} g empty, its "
           "stamped tare is {tare_g} g", "inspect", "never", "皮重不清不得充装", "published"),
    Reason("R50", "wrong_medium", "本秤所接储罐装的是{product},不是液化石油气", "The tank behind this scale holds {product}, not LPG",
           "stop_station", "never", "山东省特种设备安全条例24", "law"),
    Reason("R51", "lot_not_released", "本秤所用气质批次未放行", "The gas lot behind this scale is not released",
           "stop_station", "never", "严禁掺混二甲醚;须有警示性臭味", "published"),
    Reason("R60", "licence_invalid", "本站充装许可无效或已停业", "The station's filling licence is not in force",
           "stop_station", "never", "特种设备安全法49、85", "law"),
    Reason("R61", "filler_not_certified", "充装人员无有效证件", "The filler has no certificate in force",
           "stop_station", "never", "特种设备安全法86", "law"),
    Reason("R62", "scale_not_verified", "本秤未检定或检定过期", "The scale's verification is missing or has run out",
           "stop_station", "never", "计量检定", "practice"),
    Reason("R63", "scale_locked", "本秤已被监管锁定", "The regulator has locked this scale",
           "stop_station", "never", "监管远程锁秤", "published"),
    Reason("R64", "prefill_check_missing", "没有充装前检查记录", "No pre-fill check is on record for this scan",
           "check", "never", "特种设备安全法49、85(一)", "law"),
    Reason("R65", "clock_suspect", "本机时钟不可信", "This station's clock cannot be trusted",
           "stop_station", "never", "防止改钟", "practice"),
    Reason("R66", "data_too_old", "离线数据已超过 {hours} 小时", "The station's data is older than {hours} h",
           "stop_station", "never", "离线快照期限", "practice"),
    Reason("R67", "journal_not_writable", "本机日志无法写入", "The station's journal cannot be written",
           "stop_station", "never", "先记录,后充装", "practice"),
    Reason("R68", "other_region", "此瓶限在 {region} 充装", "It may be filled in {region} only",
           "investigate", "never", "严禁跨区域充装", "published"),
    Reason("R69", "not_empty_here", "记录显示此瓶现为“{status}”,未回收", "By the record it is now {status}, not returned",
           "investigate", "new_evidence_and_second_person", "流转状态", "practice"),
)  # fmt: skip

BECAUSE: dict[str, tuple[str, str]] = {
    # R02
    "on_dead_list": ("本站没有这只气瓶的档案,且此码可能在报废、注销或黑气瓶名单上:扣下此瓶,通知站长和监管部门",
                     "Unknown here, and its code may be on the list of dead or black ones: hold it, call the regulator"),
    # R03 R06
    "cloned": ("此码被认定对应多只气瓶", "An authority found this code on more than one cylinder"),
    "at_another_lane": ("{lane} 号工位正在处理同一个码", "The same code is under way at lane {lane}"),
    "tag_replaced": ("此标签替换了原标签,未见批准", "This tag took the place of another, and no approval is on file"),
    "tag_request_open": ("此标签的换标申请还未批复", "A request to replace this tag has not been answered yet"),
    # R13
    "head_mark_of_another": ("封头凹印是 {bearer_id} 的", "The mark on its head is that of {bearer_id}"),
    # R22
    "inspection_items_missing": ("{inspected} 的检验缺少必检项目", "The inspection of {inspected} lacks a mandatory item"),
    "inspection_items_unrecorded": ("{inspected} 的检验没有全部必检项目的逐项记录",
                                    "Not every mandatory item of the inspection of {inspected} is on record by itself"),
    "mark_differs": ("瓶上的检验标记与记录不一致", "The inspection mark on it is not the one on record"),
    "inspection_body_not_licensed": ("{inspected} 的检验机构查不到有效核准证",
                                     "No licence is known of the body that inspected it in {inspected}"),
    "valve_not_replaced": ("{inspected} 检验时未更换瓶阀,现瓶阀 {since} 装上",
                           "Its valve, put in in {since}, was not replaced at the inspection of {inspected}"),
    # R25 R30 R38
    "stamp_altered": ("钢印有打磨或补打的痕迹,制造日期不能认定",
                      "Its stamp shows grinding or restamping; when it was made cannot be told"),
    "scrap_mark": ("瓶上有报废标记", "It bears a scrap mark"),
    "seized": ("此瓶已被查封扣押", "An authority has seized it"),
    # R41
    "valve_life_over": ("瓶阀使用期限已于 {until} 届满", "The life of its valve ended in {until}"),
    "angle_valve": ("瓶阀不能自闭,{since} 起不再充装",
                    "Its valve does not close by itself; such cylinders are filled no more since {since}"),
    # R63
    "locked": ("{target}已由 {authority_id} 锁定({proof})", "Authority {authority_id} has locked {target} ({proof})"),
    "locked_until": ("{target}已由 {authority_id} 锁定至 {until}({proof})",
                     "Authority {authority_id} has locked {target} until {until}, Beijing time ({proof})"),
    # R46 R66
    "tare_unclear": ("皮重钢印不清", "Its stamped tare cannot be read"),
    "tare_below_model": ("皮重 {tare_g} 克,比 {model} 的 {model_tare_g} 克轻得多,皮重不清",
                         "Its tare of {tare_g} g is far below the {model_tare_g} g of a {model}, and cannot be right"),
    "rulebook_not_in_force": ("所用规则今天不在有效期内", "The rulebook in use is not in force today"),
}  # fmt: skip
"""Cause that a rule names in its findings → what is said instead of the reason's own sentence."""

REASONS: dict[str, Reason] = {reason.code: reason for reason in _TABLE}
"""Refusal code → reason."""

_WARNINGS = (
    Reason("W20", "inspection_due_soon", "检验将于 {due} 到期", "Inspection is due in {due}",
           "inspect", "never", "特种设备安全法40:期满前一个月申请检验", "law"),
    Reason("W24", "service_life_ends_soon", "使用年限将于 {until} 届满", "Its service life ends in {until}",
           "inspect", "never", "特种设备安全法48", "law"),
    Reason("W26", "evaluation_due_soon", "设计年限将于 {until} 届满,须安全评定并变更登记", "Its design life ends in {until}; it must "
           "be evaluated and re-registered to be filled after that", "inspect", "never", "特种设备安全法48", "law"),
)  # fmt: skip

WARNINGS: dict[str, Reason] = {reason.code: reason for reason in _WARNINGS}
"""Warning code → reason; a warning permits filling and says what is coming."""


_WHY: Mapping[str, tuple[str, str]] = {
    "empty": ("没有内容", "nothing arrived"),
    "too_long": ("内容过长", "it is too long"),
    "not_a_code": ("不是本系统的码", "it is no cylinder's code"),
    "wrong_length": ("位数不对", "it has the wrong length"),
    "wrong_character": ("有不该出现的字符", "a character cannot stand there"),
    "wrong_check_digits": ("校验位不符", "its check digits do not fit"),
    "two_codes": ("一次扫到两个码", "two codes were scanned at once"),
    "foreign_link": ("是别处的链接", "it is a link to somewhere else"),
    "missing_filler": ("GRAI 缺少填充位 0", "the GRAI lacks its filler 0"),
    "missing_serial": ("GRAI 没有序列号，不是某一只气瓶", "the GRAI has no serial and names no single cylinder"),
    "serial_too_long": ("序列号过长", "its serial is too long"),
    "lost_separator": ("扫码枪丢失了分隔符", "the scanner lost a separator"),
    "no_check_characters": ("GIAI 缺少 (8004) 和校验位", "the GIAI lacks (8004) and check characters"),
    "wrong_layout": ("扫码枪与电脑的键盘布局不一致", "scanner and computer use different keyboard layouts"),
    "ambiguous": ("可以读成两个不同的码", "it can be read as two different codes"),
    "damaged": ("二维码已损坏", "it is damaged"),
}
"""Why a scan is no code, by the word under which the ledger keeps it."""
_SCANNER: tuple[NextAct, str, str] = (
    "rescan",
    "通知站长:运行 station-agent scanner-test 调整扫码枪,再扫一次。",
    "Call the station manager: station-agent scanner-test tells how to set the scanner. Then scan again.",
)
_NEW_TAG: tuple[NextAct, str, str] = (
    "investigate",
    "放入待处理区,办理换标后再充装。",
    "Put it in the hold area; it is filled once it has been tagged anew.",
)
_NEXT_OF_WHY: Mapping[str, tuple[NextAct, str, str]] = {
    "not_a_code": (
        "rescan",
        "扫瓶上的码牌;没有码牌就放入待处理区,通知站长。",
        "Scan the plate on the cylinder; where there is none, hold area, and call the station manager.",
    ),
    "foreign_link": (
        "return",
        "找本瓶在本系统的码再扫;没有就放入待处理区,退回产权单位。",
        "Look for its code of this register; where it has none, hold area, and return it to its owner.",
    ),
    "two_codes": ("rescan", "遮住旁边的码,再扫一次。", "Cover the code beside it and scan once more."),
    **dict.fromkeys(("lost_separator", "wrong_layout"), _SCANNER),
    **dict.fromkeys(
        ("missing_filler", "missing_serial", "serial_too_long", "no_check_characters", "ambiguous", "damaged"), _NEW_TAG
    ),
}
"""Why a scan is no code → what helps, where wiping and scanning again does not."""
_PRODUCT_ZH = {"lpg": "液化石油气", "industrial_propane": "工业丙烷", "other": "其他气体"}
_TARGET = {"station": ("本站", "this station"), "lane": ("本工位", "this lane"), "scale": ("本秤", "this scale")}
_PROOF = {
    "signed": ("签名已核验", "its signature is verified"),
    "unverified": ("签名未能核验", "its signature could not be verified"),
}
_ZH: dict[str, Mapping[str, str]] = {
    "status": {str(status): zh for status, zh in STATUS_ZH.items()},
    "why": {word: said[0] for word, said in _WHY.items()},
    "product": _PRODUCT_ZH,
    "target": {word: said[0] for word, said in _TARGET.items()},
    "proof": {word: said[0] for word, said in _PROOF.items()},
}
"""Findings that are words, by their name: the ledger keeps the word, people read it in their language."""


_STAMP_FIELDS: Mapping[str, tuple[str, str]] = {
    "maker": ("制造单位", "maker"),
    "serial": ("出厂编号", "serial number"),
    "manufactured_month": ("制造年月", "month of manufacture"),
    "model": ("型号", "model"),
    "tare_g": ("皮重", "tare"),
}
"""What stands on the steel, by the name of its field."""


def _which_fields(names: str, language: Literal["zh", "en"]) -> str:
    """Behind a sentence about the stamp: the fields that a device found to differ, if one read them."""
    if not names:
        return ""
    said = [_STAMP_FIELDS[name][0 if language == "zh" else 1] for name in names.split()]
    return ":" + "、".join(said) if language == "zh" else ": " + ", ".join(said)


def sentence(reason: Reason, detail: Mapping[str, str | int], language: Literal["zh", "en"]) -> str:
    """The reason as one sentence for people, with its findings filled in."""
    zh, en = BECAUSE.get(str(detail.get("because")), (reason.zh, reason.en))
    fields = _which_fields(str(detail.get("stamp_fields", "")), language)
    if language == "zh":
        told = {key: _ZH.get(key, {}).get(str(value), value) for key, value in detail.items()}
        return zh.format_map(told) + fields
    said = {key: _in_english(key, value) for key, value in detail.items()}
    return en.format_map(said) + fields


_EN: Mapping[str, Mapping[str, str]] = {
    "why": {word: said[1] for word, said in _WHY.items()},
    "target": {word: said[1] for word, said in _TARGET.items()},
    "proof": {word: said[1] for word, said in _PROOF.items()},
}


def _in_english(key: str, value: str | int) -> str | int:
    if key not in _ZH:
        return value
    return _EN.get(key, {}).get(str(value), str(value).replace("_", " "))


def next_act(reason: Reason, detail: Mapping[str, str | int]) -> NextAct:
    """What is done about a reason that was found so."""
    return _next(reason, detail)[0]


def next_step(reason: Reason, language: Literal["zh", "en"], detail: Mapping[str, str | int] = _NOTHING) -> str:
    """What the person at the scale does now, about a reason that was found so."""
    return _next(reason, detail)[1 if language == "zh" else 2]


def _next(reason: Reason, detail: Mapping[str, str | int]) -> tuple[NextAct, str, str]:
    if found := _NEXT_OF_WHY.get(str(detail.get("why", ""))):
        return found
    return reason.next_act, *NEXT_STEPS[reason.next_act]
