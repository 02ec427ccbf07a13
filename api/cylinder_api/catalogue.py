"""The catalogue of problems (问题目录): each code in Chinese and English, and what to do next.

A problem's `type` leads to its page here; `docs/problems.md` is this table as a document.
"""

import html
from typing import Literal, NamedTuple

from cylinder_api.refusals import KINDS

Language = Literal["zh-CN", "en"]
PAGES = "/problems"


class Words(NamedTuple):
    """What a problem is called in Chinese, and what whoever meets it does next."""

    title_zh: str
    next_zh: str
    next_en: str


_AGAIN = ("稍候重试；同一请求可原样再发", "Wait a little and send the same request again; it is recorded once")
_SEE_DETAIL = ("按 detail 与 errors 所指之处更正后重发", "Mend what detail and errors point at, and send it again")
_ASK_ADMIN = ("请管理员核对本令牌的角色与范围", "Ask the administrator which role and scope this token should have")
_ASK_OWNER = ("请由产权单位办理，或先办理产权变更", "Let the owner do it, or record the change of owner first")
_LOOK_UP = ("核对编号；可按气瓶历史或列表查找", "Check the id; a cylinder's history or a list shows the right one")
_OWN_TOKEN = ("用本站、本机的令牌发送", "Send it with the token of the station or device that it is about")
_SCAN_AGAIN = ("重新扫码，或按瓶身标签逐字核对", "Scan again, or compare with the label character by character")

WORDS: dict[str, Words] = {
    "malformed_request": Words("请求无法读取", *_SEE_DETAIL),
    "link_invalid": Words(
        "链接不是有效的气瓶链接",
        "重新扫码，或与标签逐字核对",
        "Scan again, or compare the address with the label character by character",
    ),
    "idempotency_key_missing": Words(
        "写操作须带 Idempotency-Key（幂等键）",
        "由调用方为每一行为生成一个编号，放入 Idempotency-Key；正文有 id 或 check_id 时用同一编号；重发时不变",
        "Make one id for each act and send it as Idempotency-Key; where the body has id or check_id, send that; "
        "keep it when you send again",
    ),
    "unauthenticated": Words(
        "须有有效的访问令牌",
        "带上 Authorization: Bearer 令牌；令牌已过期或被撤销时重新取得",
        "Send Authorization: Bearer with a token in force; get a new one where it has ended or was revoked",
    ),
    "not_allowed": Words("该角色不可做此操作", *_ASK_ADMIN),
    "scope_missing": Words("令牌的权限范围不够", *_ASK_ADMIN),
    "sign_in_failed": Words(
        "登录失败",
        "核对用户名、密码与动态口令；多次失败后须等待片刻",
        "Check user, password and number; after several failures wait a while",
    ),
    "session_needed": Words("须由登录的人员办理", "请先登录", "Sign in first; a token has no session and no password"),
    "other_origin": Words(
        "会话只能由本服务自己的页面写入",
        "程序请改用访问令牌",
        "A program sends a bearer token instead of a session",
    ),
    "other_district": Words("不在本机关的辖区内", "请由当地机关办理", "Let the authority of the place do it"),
    "other_station": Words("令牌属于另一充装站", *_OWN_TOKEN),
    "other_device": Words("令牌属于另一台设备", *_OWN_TOKEN),
    "other_owner": Words("气瓶属于另一单位", *_ASK_OWNER),
    "other_company": Words("用户资料属于另一单位", "请由采集资料的单位办理", "Let whoever took the data do it"),
    "other_holder": Words("气瓶在他人手中", "请由持有人交接", "Let whoever has it hand it over"),
    "other_authority": Words(
        "该标记由另一机关作出", "请由作出标记的机关办理", "Let the authority that made the mark do it"
    ),
    "same_person": Words(
        "须由另一人办理", "请由未参与前一步的人员办理", "Let a person do it who did not take the step before"
    ),
    "device_cut_off": Words(
        "该设备已停用", "以新的入网码登记另一台设备", "Enrol another device with a new one-time code"
    ),
    "enrolment_code_invalid": Words(
        "设备入网码不存在、已用或已过期", "请管理员另发一码", "Ask the administrator for a new code"
    ),
    "not_found": Words("此处没有内容", "核对地址；见 /openapi.json", "Check the address; see /openapi.json"),
    "link_type_absent": Words(
        "没有此类链接",
        "用 linkType=linkset 查看全部链接，或不带 linkType",
        "Ask with linkType=linkset for all links, or without linkType for the default one",
    ),
    "cylinder_unknown": Words("此码之下没有建档的气瓶", *_SCAN_AGAIN),
    "station_unknown": Words("没有此充装站", *_LOOK_UP),
    "customer_unknown": Words("没有此用户", "改为提交实名信息", "Send the identity instead of the id"),
    "handover_unknown": Words("没有此交接", *_LOOK_UP),
    "recall_unknown": Words("没有此召回", *_LOOK_UP),
    "lot_unknown": Words("没有此气质批次", *_LOOK_UP),
    "entry_unknown": Words("没有可更正的此条记录", *_LOOK_UP),
    "request_unknown": Words("没有此换标申请", *_LOOK_UP),
    "dispute_unknown": Words("没有此争议", *_LOOK_UP),
    "device_unknown": Words("没有此设备", *_LOOK_UP),
    "client_unknown": Words("没有此对接系统", *_LOOK_UP),
    "user_unknown": Words("没有此用户账号", *_LOOK_UP),
    "import_unknown": Words("没有此导入", *_LOOK_UP),
    "webhook_unknown": Words("没有此推送地址", *_LOOK_UP),
    "message_unknown": Words("没有此消息", *_LOOK_UP),
    "method_not_allowed": Words("此处不提供该方法", "见 /openapi.json", "See /openapi.json"),
    "too_slow": Words("正文传送过慢", "分次提交，或换用更快的线路", "Send it in parts, or over a faster line"),
    "still_running": Words("同一请求仍在处理中", *_AGAIN),
    "code_taken": Words(
        "此码已属于另一只气瓶",
        "为本瓶另赋一码；用过的码永不再用",
        "Give this cylinder another code; a used one is never free",
    ),
    "registered_twice": Words(
        "同一只气瓶已建档",
        "核对两只气瓶的钢印，并更正有误的一只",
        "Look at the steel of both, and have the wrong one corrected",
    ),
    "second_person_needed": Words(
        "须先由第二人复核",
        "请本机关另一人复核已作的标记",
        "Let another person of the authority look at the marks so far",
    ),
    "webhook_off": Words("推送地址已关闭", "先将其打开", "Switch it on first; it goes on where it stopped"),
    "webhooks_full": Words("推送地址数量已满", "先删除不用的一个", "Delete one that is not used any more"),
    "changed_meanwhile": Words(
        "读取之后已有变化", "重新读取，核对后再写", "Read it again, compare, and write with the new ETag"
    ),
    "reading_over": Words(
        "本次查阅已结束",
        "需要再看时另行提交一次查阅，用新的 id",
        "State another reading with an id of its own; each look at personal data is on record",
    ),
    "customer_erased": Words(
        "该用户的个人信息已删除",
        "售气时请重新提交实名信息",
        "Nobody can read them any more; for a sale send the identity again",
    ),
    "length_required": Words("须声明正文长度", "带上 Content-Length", "Send Content-Length and no Transfer-Encoding"),
    "too_large": Words("正文过大", "分次提交", "Send it in parts"),
    "not_json": Words("正文须为 JSON", "带上 Content-Type: application/json", "Send Content-Type: application/json"),
    "invalid": Words("请求与说明不符", *_SEE_DETAIL),
    "password_weak": Words(
        "密码过弱",
        "至少 12 个字符，不含用户名；几个词连成一句便于记住",
        "Take at least 12 characters without the user's id; a few words are easy to keep",
    ),
    "idempotency_key_differs": Words(
        "Idempotency-Key 与正文中的编号不同",
        "一个行为一个编号：二者须相同",
        "One act, one id: send the id of the body as Idempotency-Key",
    ),
    "id_conflict": Words(
        "此编号已用于内容不同的行为",
        "重发时内容须与首次相同；新的行为用新的编号",
        "Send what was sent the first time; a new act takes a new id",
    ),
    "code_unreadable": Words("这不是气瓶码", *_SCAN_AGAIN),
    "code_not_its_own": Words("此码不指向该气瓶", *_SCAN_AGAIN),
    "serial_differs": Words(
        "钢印编号与档案不同", "核对瓶身钢印；有误时先更正", "Look at the steel; correct what is wrong first"
    ),
    "evidence_missing": Words("此行为须附证据", "附上照片的 SHA-256", "Add the SHA-256 of the pictures"),
    "head_mark_foreign": Words(
        "封头标记属于另一单位", "只有该单位可为其建档", "Only the company whose mark it bears can register it"
    ),
    "cannot_follow": Words(
        "与已有记录相接不上", "查看该瓶的历史后再定", "Look at its history; record first what is missing"
    ),
    "signature_unverified": Words(
        "签名不能核验",
        "用本机关已登记的密钥对同一内容签名（cylinder-api lock-note）；密钥未登记时请管理员登记",
        "Sign just this act with a key of the authority that is on file (cylinder-api lock-note); "
        "an administrator puts a new key on file",
    ),
    "occurred_in_future": Words("行为时间在将来", "核对设备时钟", "Check the device's clock"),
    "epcis_invalid": Words("不是有效的 EPCIS", *_SEE_DETAIL),
    "epcis_query_parameter": Words("查询参数未知或不合", *_SEE_DETAIL),
    "epcis_query_invalid": Words("查询无法理解", *_SEE_DETAIL),
    "epcis_subscription": Words("订阅的设定不合", *_SEE_DETAIL),
    "epcis_ours": Words(
        "此事只由账本陈述",
        "经本服务的业务接口（/v1）记录；EPCIS 采集只收他方事件",
        "Record it under /v1, where it is checked; capture takes what happened elsewhere",
    ),
    "epcis_unknown": Words("没有此 EPCIS 资源", "核对编号与地址", "Check the id and the address"),
    "epcis_name_unknown": Words("没有此命名查询", "见 /epcis/queries", "See /epcis/queries"),
    "epcis_not_acceptable": Words(
        "不能以所求形式答复",
        "改用 EPCIS 2.0、CBV 2.0 与 application/json；OPTIONS 告知所支持的形式",
        "Ask for EPCIS 2.0, CBV 2.0 and application/json; OPTIONS tells what is spoken",
    ),
    "epcis_exists": Words("名称已被占用", "换一个名称", "Take another name"),
    "epcis_too_large": Words("文件过大", "分次提交；OPTIONS 告知上限", "Send it in parts; OPTIONS tells the limits"),
    "epcis_query_too_large": Words("结果过大", "缩小查询范围，或分页读取", "Narrow the query, or read it page by page"),
    "epcis_query_too_complex": Words("查询过于复杂", "减少条件或取值", "Ask with fewer conditions or values"),
    "epcis_uri_too_long": Words("地址过长", "改为命名查询，以正文提交", "Make it a named query, sent as a body"),
    "epcis_media_type": Words(
        "不是 JSON 形式的 EPCIS",
        "带上 Content-Type: application/json 或 application/ld+json；不收 XML",
        "Send Content-Type: application/json or application/ld+json; XML is not read",
    ),
    "epcis_not_offered": Words("此处不提供 EPCIS 的这一部分", "见 docs/epcis.md", "See docs/epcis.md"),
    "too_many": Words(
        "请求过于频繁", "按 Retry-After 等待后重发", "Wait as Retry-After says, then send the same again"
    ),
    "internal": Words("服务出错", *_AGAIN),
    "rulebook_missing": Words(
        "没有生效的规则手册", "请运维人员发布规则手册", "Ask whoever runs the service to publish a rulebook"
    ),
    "not_published": Words("尚未列入已发布的检查点", *_AGAIN),
    "unavailable": Words("账本现在不能答复", *_AGAIN),
}


def title_of(code: str, language: Language) -> str:
    """What a problem is called."""
    return WORDS[code].title_zh if language == "zh-CN" and code in WORDS else KINDS[code].title


def language_for(accepted: str | None) -> Language:
    """The language of titles that an Accept-Language header prefers: Chinese, unless English stands higher."""
    weights = {"zh": 0.0, "en": 0.0, "*": 0.0}
    for item in (accepted or "zh").split(",")[:20]:
        tag, _, weight = item.partition(";q=")
        name = tag.strip().lower().partition("-")[0]
        if name in weights:
            weights[name] = max(weights[name], _weight(weight))
    return "en" if weights["en"] > max(weights["zh"], weights["*"]) else "zh-CN"


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0) if text else 1.0
    except ValueError:
        return 0.0


def page_of(code: str) -> str:
    """The page about one problem, for people."""
    kind, words = KINDS[code], WORDS[code]
    lines = (
        f"<h1>{html.escape(words.title_zh)}<br>{html.escape(kind.title)}</h1>",
        f"<p><code>{code}</code> · HTTP {kind.status}</p>",
        f'<p lang="zh-CN">怎么办：{html.escape(words.next_zh)}。</p>',
        f'<p lang="en">What to do next: {html.escape(words.next_en)}.</p>',
    )
    return f"{_HEAD}{''.join(lines)}</body></html>"


_HEAD = (
    '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>瓶链 PingLian</title>'
    '<meta name="viewport" content="width=device-width,initial-scale=1"></head><body>'
)


def markdown() -> str:
    """The whole catalogue as a document."""
    rows = [
        f"| `{code}` | {kind.status} | {words.title_zh} · {kind.title} | {words.next_zh} · {words.next_en} |"
        for code, kind in KINDS.items()
        if (words := WORDS.get(code))
    ]
    return _DOCUMENT + "\n".join(rows) + "\n"


_DOCUMENT = """# Problems (问题目录)

Whatever the service does not do is answered as `application/problem+json` (RFC 9457). `code` never changes its
meaning; `title` and `detail` are Chinese, or English where `Accept-Language` prefers it (every sentence stands in both
in `api/cylinder_api/sentences.py`); `type` leads to the page of the code at the service; `traceId` is what the
service's log lines about the request bear. A DENY is no problem: it is an answer to a fill check (`docs/refusals.md`).

This page is made from `api/cylinder_api/catalogue.py` by `make openapi`.

| code | HTTP | what it is called | what to do next |
|---|---|---|---|
"""
