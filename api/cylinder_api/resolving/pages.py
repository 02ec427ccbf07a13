"""The public pages (公众页面): the answer, the history, all links, why there is no answer, advice about gas."""

from collections.abc import Sequence
from urllib.parse import urlencode

from cylinder_api.catalogue import Language
from cylinder_api.resolving.answer import LastInspection, PublicAnswer
from cylinder_api.resolving.asking import Label
from cylinder_api.resolving.history import HistoryLine, PublicHistory
from cylinder_api.resolving.links import Target
from cylinder_api.resolving.sheet import Look, Page, card, other, page_html, plain, rows
from cylinder_api.resolving.words import VERDICTS, Verdict, Words
from cylinder_trace.dates import format_minute

_LOOKS: dict[Verdict, Look] = {
    "in_order": "ok", "due_soon": "soon", "not_to_be_filled": "stop", "cannot_tell": "unsure"
}  # fmt: skip


# --- the answer -------------------------------------------------------------------------------------------------


def answer_page(label: Label, answer: PublicAnswer, language: Language) -> str:
    """The page at the default link, for any minute: `at_minute` says when the register was asked."""
    verdict, stop = VERDICTS[answer.verdict].told(language), _STOP.told(language)
    sentence = Words(answer.sentence_zh, answer.sentence_en).told(language) + stop
    step = Words(answer.next_zh, answer.next_en).told(language) + stop
    shown = card(_LOOKS[answer.verdict], verdict, ("why", sentence), ("next", step))
    asked = _ASKED.told(language).format(_MINUTE)
    body = f'{shown}<p class="soft">{asked}</p>{_more(answer, language)}{rows(_facts(answer, language))}'
    return page_html(Page(language, f"{verdict} · {answer.code}", body + _ways(label, language), other(language)))


def at_minute(page: str, now: int) -> str:
    """The page of an answer that was asked for at `now` (UTC ms)."""
    return page.replace(_MINUTE, format_minute(now), 1)


_MINUTE = "\0"
"""Stands for the minute in a page that is kept; no text of a record holds it."""
_STOP = Words("。", ".")
_ASKED = Words("登记查询于北京时间 {}", "The register was asked at {}, Beijing time")


def _more(answer: PublicAnswer, language: Language) -> str:
    """The other reasons, where there are several."""
    told = [plain(one.zh if language == "zh-CN" else one.en) for one in answer.reasons[1:]]
    return f"<ul>{''.join(f'<li>{line}</li>' for line in told)}</ul>" if told else ""


_TERMS = (
    Words("气瓶码", "Code"),
    Words("钢印编号末尾", "Number in the steel ends in"),
    Words("制造", "Made by"),
    Words("型号、容积", "Model, volume"),
    Words("皮重", "Tare"),
    Words("最大充装量", "Largest fill"),
    Words("产权单位", "Owner"),
    Words("状态", "Condition"),
    Words("上次检验", "Last inspection"),
    Words("下次检验", "Next inspection"),
    Words("使用年限至", "To be used until"),
    Words("上次充装", "Last filled"),
    Words("充满时连瓶约重", "Full, it should weigh about"),
)
_RECALL, _STOP_USING = Words("召回", "Recall"), Words("在召回中，请停止使用", "recalled: stop using it")
_NONE, _UNKNOWN = Words("无", "none"), Words("未登记", "not on record")


def _facts(answer: PublicAnswer, language: Language) -> list[tuple[str, str, str]]:
    unknown, last = _UNKNOWN.told(language), answer.last_inspection
    values = (
        answer.code,
        f"…{answer.serial_end}",
        " ".join(filter(None, (answer.maker, answer.made_month))),
        f"{answer.model}, {_tenths(answer.water_volume_ml)} L",
        f"{_tenths(answer.tare_g)} kg",
        f"{_tenths(answer.max_fill_g)} kg",
        answer.owner_id,
        answer.condition_zh if language == "zh-CN" else answer.condition_en,
        _inspected(last, language) if last else _NONE.told(language),
        answer.next_inspection_month or unknown,
        answer.use_until_month or unknown,
        *_last_fill(answer),
    )
    rows = [(term.told(language), value, "") for term, value in zip(_TERMS, values, strict=False)]
    recall = _STOP_USING if answer.recalled else _NONE
    return [*rows, (_RECALL.told(language), recall.told(language), ' id="recall"')]


def _last_fill(answer: PublicAnswer) -> tuple[str, ...]:
    """When, how much and where; and what it should weigh with that."""
    fill = answer.last_fill
    if fill is None:
        return ()
    if fill.net_g is None:
        return (", ".join(filter(None, (fill.day, fill.station_id))),)
    told = ", ".join(filter(None, (fill.day, f"{_tenths(fill.net_g)} kg", fill.station_id)))
    return told, f"{_tenths(answer.tare_g + fill.net_g)} kg"


_PASSED, _FAILED = Words("合格", "passed"), Words("不合格", "failed")


def _inspected(last: LastInspection, language: Language) -> str:
    return f"{last.month}, {(_PASSED if last.passed else _FAILED).told(language)}"


def _tenths(thousandths: int) -> str:
    """Grams as kilograms and millilitres as litres, to the tenth."""
    tenths = (thousandths + 50) // 100
    return f"{tenths // 10}.{tenths % 10}"


_WAYS = (
    ("/history{}", Words("公开履历", "Public history")),
    ("/certificates{}", Words("检验记录", "Inspections")),
    ("/safety", Words("用气安全", "Using gas safely")),
)


def _ways(label: Label, language: Language) -> str:
    path = plain(label.path)
    links = (f'<a href="{way.format(path)}?lang={language}">{words.told(language)}</a>' for way, words in _WAYS)
    return f"<nav>{''.join(links)}</nav>"


# --- history and linkset ----------------------------------------------------------------------------------------


def history_page(label: Label, history: PublicHistory, title: Words, language: Language) -> str:
    """Months and kinds, newest first."""
    lines = "".join(f"<dt>{line.month}</dt><dd>{plain(_told(line, language))}</dd>" for line in history.lines)
    empty = Words("还没有可公开的记录。", "Nothing that can be shown is on record yet.").told(language)
    listed = f"<dl>{lines}</dl>" if lines else f"<p>{empty}</p>"
    back = f'<nav><a href="/about{plain(label.path)}?lang={language}">{_BACK.told(language)}</a></nav>'
    note = _LEFT_OUT.told(language) + (_EARLIER.told(language).format(history.earlier) if history.earlier else "")
    body = f'<h1>{title.told(language)}</h1><p>{plain(history.code)}</p>{listed}<p class="soft">{note}</p>{back}'
    return page_html(Page(language, f"{title.told(language)} · {history.code}", body, other(language)))


_EARLIER = Words("更早的 {} 行未显示。", " {} earlier lines are not shown.")
_BACK = Words("返回查询结果", "Back to the answer")
_LEFT_OUT = Words(
    "只列月份和事项；用户、地址和配送不公开。",
    "Months and kinds only; customers, addresses and deliveries are not public.",
)


def _told(line: HistoryLine, language: Language) -> str:
    zh = language == "zh-CN"
    told = [line.zh if zh else line.en]
    if line.times > 1:
        told.append(f"{line.times} 次" if zh else f"{line.times} times")
    if line.next_due_month:
        told.append(f"有效至 {line.next_due_month}" if zh else f"valid until {line.next_due_month}")
    if line.body_id:
        told.append(f"{line.body_id} {line.report_no or ''}".strip())
    return ("，" if zh else ", ").join(told)


def linkset_page(label: Label, targets: Sequence[Target], language: Language) -> str:
    """All links, for a person who asks for them with a browser."""
    rows = "".join(
        f'<li><a href="{plain(target.path)}">{plain(target.title)}</a> <span class="soft">gs1:{target.link_type}'
        f"{'' if target.is_public else ' · ' + _WITH_TOKEN.told(language)}</span></li>"
        for target in targets
    )
    title = Words("此码的全部链接", "All links of this code").told(language)
    query = urlencode({"linkType": "linkset", "lang": "en" if language == "zh-CN" else "zh-CN"})
    return page_html(Page(language, title, f"<h1>{title}</h1><p>{plain(label.code.text)}</p><ul>{rows}</ul>", query))


_WITH_TOKEN = Words("须有访问令牌", "needs a token")


# --- errors and advice ------------------------------------------------------------------------------------------


def error_page(title: str, sentence: str, step: str, language: Language) -> str:
    """Why there is no answer, as calmly as an answer; the status says that it is none."""
    shown = card("unsure", title, ("next", step + _STOP.told(language)))
    more = f'<p class="soft">{plain(sentence)}</p>' if sentence.lower() != title.lower() else ""
    return page_html(Page(language, title, shown + more, other(language)))


_ADVICE = (
    Words(
        "闻到燃气味：关闭瓶阀，打开门窗，不开关电器、不打电话，离开后再报警 119",
        "If you smell gas: shut the valve, open the windows, touch no switch and no telephone, go out, then call 119",
    ),
    Words("气瓶直立使用，远离火源和热源", "Use the cylinder upright, away from flames and heat"),
    Words(
        "不加热、不倒置、不摇晃气瓶，不自行倒出残液",
        "Never heat, turn over or shake it, and never pour out residue yourself",
    ),
    Words(
        "软管不穿墙，不超过 2 米，老化即换",
        "The hose goes through no wall, is 2 m at most, and is replaced once it ages",
    ),
    Words("用肥皂水查漏，不用明火", "Look for leaks with soapy water, never with a flame"),
    Words("不用时和睡前关闭瓶阀", "Shut the valve when you do not use it, and before you sleep"),
    Words("换瓶时扫码，检验到期的不收", "Scan the code when it is exchanged, and take none that is due for inspection"),
)


def safety_page(language: Language) -> str:
    """General advice about gas at home."""
    title = Words("用气安全", "Using gas safely").told(language)
    listed = "".join(f"<li>{plain(line.told(language))}</li>" for line in _ADVICE)
    return page_html(Page(language, title, f"<h1>{title}</h1><ol>{listed}</ol>", other(language)))
