"""The sentences of refusals in Chinese and English (提示语), each pair in one place, under the code it belongs to.

The acts say why not in English, where they find it out; `chinese_of` says the same sentence in Chinese.  What stands
in braces is what the sentence is about: ids, numbers, names of fields, the same in both.  A test reads the sources and
fails for a sentence that has no Chinese here.
"""

import re
from functools import lru_cache
from typing import NamedTuple


class Sentence(NamedTuple):
    """One sentence in both languages."""

    en: str
    zh: str


_CODE_ENDED = "该码不存在、已用过或已过期；请另要一个新码"

# fmt: off
SENTENCES: dict[str, tuple[Sentence, ...]] = {
    "malformed_request": (
        Sentence("the body broke off", "正文没有传完就断开了"),
    ),
    "idempotency_key_missing": (
        Sentence("send {header} once: 1 to 80 characters of A-Z a-z 0-9 _ . : -",
                 "请带一次 {header}：1 至 80 个字符，限 A-Z a-z 0-9 _ . : -"),
    ),
    "unauthenticated": (
        Sentence("send Authorization: Bearer with a token that is in force",
                 "请带 Authorization: Bearer 和仍有效的令牌"),
    ),
    "not_allowed": (
        Sentence("a token of role {role} may not call {operation}; it is for {allowed}",
                 "角色 {role} 的令牌不可调用 {operation}；可调用的角色：{allowed}"),
        Sentence("a maker calls cylinders back; a gas lot is recalled by an authority",
                 "制造单位只召回气瓶；气质批次由监管机关召回"),
        Sentence("a station manager lets fillers and checkers in; an admin the others",
                 "站长只能让充装人员和检查人员入网；其他人员由管理员办理"),
        Sentence("a station states its own decisions, each under its own check_id",
                 "充装站只陈述自己作出的判定，且编号须为该次检查的 check_id"),
        Sentence("it does not belong into the history of {subject}", "这条记录不属于 {subject} 的历史"),
        Sentence("{type} is not an act of a station", "{type} 不是充装站的行为"),
    ),
    "scope_missing": (
        Sentence("{operation} needs a token with the scope {scope}", "{operation} 须用权限范围含 {scope} 的令牌"),
    ),
    "sign_in_failed": (
        Sentence("user, password or number is wrong, or the account is locked for a while; wait, then try again",
                 "用户名、密码或动态口令不对，或账号暂时锁定；稍候再试"),
    ),
    "session_needed": (
        Sentence("this is for people who signed in; a token has no session and no password",
                 "此项须由登录的人员办理；令牌没有会话，也没有密码"),
    ),
    "other_origin": (
        Sentence("a session writes only from the service's own pages; programs send a token",
                 "会话只能由本服务自己的页面写入；程序请用令牌"),
    ),
    "other_district": (
        Sentence("{what} is not in district {district}, where this authority acts",
                 "{what} 不在本机关办事的辖区 {district} 之内"),
    ),
    "other_station": (
        Sentence("this token speaks for station {station_id}", "本令牌代表充装站 {station_id}"),
        Sentence("station {station_id} belongs to another company", "充装站 {station_id} 属于另一单位"),
        Sentence("it is stated for another station, {station_id}", "这条记录是以另一充装站 {station_id} 的名义陈述的"),
        Sentence("it is stated in another name than the station's", "这条记录不是以本充装站的名义陈述的"),
    ),
    "other_device": (
        Sentence("this token speaks for device {device_id}", "本令牌代表设备 {device_id}"),
        Sentence("device {device_id} is not enrolled", "设备 {device_id} 没有入网"),
    ),
    "other_owner": (
        Sentence("a company lists its own cylinders", "单位只能查看自己的气瓶"),
        Sentence("a company sees its own figures", "单位只能查看自己的统计"),
        Sentence("only its owner lets somebody else fill a cylinder", "只有产权单位可以让他人充装该气瓶"),
        Sentence("the cylinder belongs to another company", "该气瓶属于另一单位"),
    ),
    "other_company": (
        Sentence("another company took this customer's data and answers for them",
                 "该用户的资料由另一单位采集，并由其负责"),
    ),
    "other_holder": (
        Sentence("somebody else has the cylinder, as last handed over", "按最近一次交接，气瓶在他人手中"),
        Sentence("the cylinder is seized; only the authority hands it over", "该气瓶已被查封；只有监管机关可以移交"),
    ),
    "other_authority": (
        Sentence("it was locked by {authority_id}, which alone unlocks it",
                 "此处由 {authority_id} 锁定，只有该机关可以解锁"),
        Sentence("the flag is {authority_id}'s, which alone looks at it again",
                 "该标记由 {authority_id} 作出，只有该机关可以复核"),
        Sentence("the lot is blocked by {authority_ids}; whoever blocks releases it",
                 "该批次由 {authority_ids} 封存；谁封存，谁解除"),
        Sentence("the mark was set by {authority_id}, which alone lifts it",
                 "该标记由 {authority_id} 作出，只有该机关可以解除"),
        Sentence("the recall is {issuer_id}'s, which alone closes it", "该召回由 {issuer_id} 发起，只有其可以结束"),
        Sentence("the recall is {issuer_id}'s; a maker sees its own",
                 "该召回由 {issuer_id} 发起；制造单位只能查看自己的召回"),
    ),
    "same_person": (
        Sentence("whoever asks for a new tag does not answer the request",
                 "申请换标的人不得批复该申请；请由另一人办理"),
        Sentence("whoever did the item does not review it; name two persons", "做该项检验的人不得复核该项；请填两个人"),
        Sentence("whoever set a black flag does not lift it; a second person of the authority does",
                 "标记黑气瓶的人不得解除；须由本机关另一人办理"),
        Sentence("whoever set the flag does not confirm it; a second person of the authority does",
                 "作出标记的人不得自行复核；须由本机关另一人办理"),
        Sentence("whoever states a correction does not agree to it; name a second person",
                 "提出更正的人不得自行同意；请填第二个人"),
    ),
    "device_cut_off": (
        Sentence("device {device_id} was cut off; enrol another one", "设备 {device_id} 已停用；请登记另一台设备"),
    ),
    "enrolment_code_invalid": (
        Sentence("the code is unknown, used or too old; ask for a new one", _CODE_ENDED),
        Sentence("the code was used with another password; ask for a new one", "该码已用于另一密码；请另要一个新码"),
    ),
    "not_found": (
        Sentence("a tile's path reads x001/x234/067 or 067.p/12", "瓦片路径的写法是 x001/x234/067 或 067.p/12"),
        Sentence("no checkpoint has been published yet", "尚未发布检查点"),
        Sentence("the log has no such entries under its checkpoint yet", "日志在其检查点之下还没有这些条目"),
        Sentence("the log has no such tile", "日志没有这一瓦片"),
        Sentence("the tree has no such level", "树没有这一层"),
        Sentence("there is no such code of a problem", "没有这一问题代码"),
        Sentence("you have no session of this id", "您没有这一编号的会话"),
    ),
    "link_type_absent": (
        Sentence("no link of this type leads on from here; linkType=linkset lists all",
                 "此处没有这类链接；linkType=linkset 列出全部"),
    ),
    "cylinder_unknown": (
        Sentence("no cylinder is on file under this code", "此码之下没有建档的气瓶"),
        Sentence("no cylinder is on file under this id", "此编号之下没有建档的气瓶"),
    ),
    "station_unknown": (
        Sentence("no station {station_id} is on file", "没有充装站 {station_id} 的档案"),
        Sentence("no station {station_id} with a licence is on file", "没有持证充装站 {station_id} 的档案"),
    ),
    "customer_unknown": (
        Sentence("no customer is on file under this id", "此编号之下没有用户档案"),
        Sentence("no customer is on file under this id; send the identity instead",
                 "此编号之下没有用户档案；请改为提交实名信息"),
        Sentence("no customer of yours is on file under this id; the sale comes first",
                 "此编号之下没有本单位的用户；请先办理售气"),
    ),
    "handover_unknown": (
        Sentence("no hand-over to you is on file under this id", "此编号之下没有交给您的交接"),
    ),
    "recall_unknown": (
        Sentence("no recall is on file under this id", "此编号之下没有召回"),
    ),
    "lot_unknown": (
        Sentence("no gas lot is on file under this id", "此编号之下没有气质批次"),
        Sentence("no gas lot {lot_id} was received into this ledger", "本账本没有收到气质批次 {lot_id}"),
    ),
    "entry_unknown": (
        Sentence("no entry that can be corrected is on file under this id", "此编号之下没有可以更正的记录"),
    ),
    "request_unknown": (
        Sentence("no request for a new tag is on file under this id", "此编号之下没有换标申请"),
    ),
    "dispute_unknown": (
        Sentence("no dispute is on file under this id", "此编号之下没有争议"),
    ),
    "device_unknown": (
        Sentence("no device is on file under this id", "此编号之下没有设备"),
        Sentence("no device of this station is on file under this id", "此编号之下没有本站的设备"),
    ),
    "client_unknown": (
        Sentence("no client is registered under this id", "此编号之下没有登记的对接系统"),
    ),
    "user_unknown": (
        Sentence("no such user is on file; see the list of users", "没有这一用户；请查看用户列表"),
    ),
    "import_unknown": (
        Sentence("no import of yours has this id; list the imports to see theirs",
                 "本单位没有这一编号的导入；请查看导入列表中的编号"),
    ),
    "too_slow": (
        Sentence("the whole body must arrive within {seconds} s", "整个正文须在 {seconds} 秒内传完"),
    ),
    "still_running": (
        Sentence("the same request is being worked on; ask again in a moment", "同一请求正在处理中；请稍候再问"),
    ),
    "code_taken": (
        Sentence("code {code} is dead for ever: it was given to {cylinder_id}, and is cancelled or scrapped with it",
                 "码 {code} 永不再用：它曾赋予 {cylinder_id}，已注销或随瓶报废"),
        Sentence("code {code} already leads to {cylinder_id}; a code leads to one cylinder",
                 "码 {code} 已属于气瓶 {cylinder_id}；一码只属一瓶"),
    ),
    "registered_twice": (
        Sentence("maker, serial number and year of making are those of {cylinder_id}, on file as {owner_id}'s; "
                 "look at the steel of both, and have the wrong one corrected",
                 "制造单位、出厂编号和制造年份与 {owner_id} 名下已建档的 {cylinder_id} 相同；"
                 "请核对两只气瓶的钢印，并更正有误的一只"),
    ),
    "second_person_needed": (
        Sentence("a second person of the authority must resolve dispute {dispute_id} first",
                 "须先由本机关第二人处理争议 {dispute_id}"),
    ),
    "changed_meanwhile": (
        Sentence("the webhook was changed since you read it; read it again", "读取之后推送地址已被修改；请重新读取"),
        Sentence("somebody changed the webhook at this moment; read it again", "推送地址刚被他人修改；请重新读取"),
        Sentence("something was recorded of it since you read it; read it again", "读取之后又有记录；请重新读取"),
    ),
    "reading_over": (
        Sentence("this reading was answered long ago; state another one with an id of its own",
                 "这次查阅早已答复；再次查阅请用新的编号另行提出"),
    ),
    "customer_erased": (
        Sentence("the personal data of this customer were erased before", "该用户的个人信息此前已删除"),
        Sentence("the personal data of this customer were erased; nobody can read them",
                 "该用户的个人信息已删除，任何人都不能再看到"),
        Sentence("this customer was erased; send the identity instead", "该用户已删除；请改为提交实名信息"),
    ),
    "length_required": (
        Sentence("send Content-Length, and no Transfer-Encoding", "请带 Content-Length，不要用 Transfer-Encoding"),
    ),
    "too_large": (
        Sentence("the body has more than {bytes} bytes", "正文超过 {bytes} 字节"),
    ),
    "not_json": (
        Sentence("send Content-Type: application/json", "请带 Content-Type: application/json"),
    ),
    "invalid": (
        Sentence("/body/types: there is no type {type}; docs/webhooks.md lists them",
                 "/body/types：没有事件类型 {type}；见 docs/webhooks.md"),
        Sentence("/query/after: not a place that an answer named; begin without it",
                 "/query/after：不是答复中给出的位置；请不带此项从头开始"),
        Sentence("/body/client_id: ids in {prefix}… are those of stations' devices",
                 "/body/client_id：以 {prefix} 开头的编号留给充装站的设备"),
        Sentence("/body/field: {type} has no field {field} that holds one text or number",
                 "/body/field：{type} 没有名为 {field} 的单个文字或数字"),
        Sentence("/body/file: send multipart/form-data with the table as a file called file",
                 "/body/file：请以 multipart/form-data 提交，表格作为名为 file 的文件"),
        Sentence("/body/jwk: not a public Ed25519 or P-256 key as a JSON Web Key",
                 "/body/jwk：不是 JSON Web Key 形式的 Ed25519 或 P-256 公钥"),
        Sentence("/body/jwk: only kty, crv, x and y of the public half; keep the private one (d)",
                 "/body/jwk：只填公钥的 kty、crv、x、y；私钥（d）请自己保管"),
        Sentence("/body/made_month: the valve cannot have been made after it was put in",
                 "/body/made_month：瓶阀不可能在装上之后才制造"),
        Sentence("/body/outcome: it is not what the items say", "/body/outcome：结论与各检查项不符"),
        Sentence("/body/role: a station's device enrols with a code for devices",
                 "/body/role：充装站的设备请用设备入网码登记"),
        Sentence("/body/scope: name at least one scope, or leave it out", "/body/scope：至少填一个权限范围，或不填"),
        Sentence("/body/scope: the role {role} never has {scopes}", "/body/scope：角色 {role} 从无权限范围 {scopes}"),
        Sentence("/body/serial: this valve was in before; a valve is replaced by another",
                 "/body/serial：原来装的就是这只瓶阀；换阀须换另一只"),
        Sentence("/body/stamp: maker and serial cannot be a stamp: {error}",
                 "/body/stamp：制造单位与出厂编号不能作为钢印：{error}"),
        Sentence("/body/to_holder_id: you have the cylinder already; name who is to have it",
                 "/body/to_holder_id：气瓶已在您手中；请填要交给谁"),
        Sentence("/body/to_owner_id: the cylinder is yours already; name the new owner",
                 "/body/to_owner_id：气瓶已属于本单位；请填新的产权单位"),
        Sentence("/body/valid_until: the certificate ends before it begins",
                 "/body/valid_until：证书在生效之前就已到期"),
        Sentence("/body/valid_until_month: a passed evaluation has an end, a failed one none",
                 "/body/valid_until_month：评定合格须填截止月份，不合格不填"),
        Sentence("/body/vkey: the key's name is {authority_id}, or begins with it and a slash",
                 "/body/vkey：密钥名称须为 {authority_id}，或以它加斜线开头"),
        Sentence("/body/vkey: {error}", "/body/vkey：密钥不能用，{error}"),
        Sentence("/body: an object names a field twice; name it once", "/body：一个对象中同一字段出现两次；只填一次"),
        Sentence("/query/cursor: this cursor belongs to another question; ask anew without it",
                 "/query/cursor：该游标属于另一查询；请不带游标重新查询"),
        Sentence("/query/cursor: this is no cursor; send `next` as it was answered",
                 "/query/cursor：这不是游标；请原样发送答复中的 next"),
        Sentence("/query/overdue: ask for what is overdue or for what falls due, not for both at once",
                 "/query/overdue：已超期与将到期请分开查询"),
        Sentence("/query/serial: a serial is unique for its maker only; add maker or made",
                 "/query/serial：出厂编号只在同一制造单位内唯一；请加上制造单位或制造年月"),
        Sentence("/query/{name}: a name is asked for alone, without other conditions",
                 "/query/{name}：按编号查询时不加其他条件"),
        Sentence("{faults} of {all} do not fit, nothing was recorded", "{all} 只中有 {faults} 只不符，未作任何记录"),
        Sentence("{place}: it cannot have been made after it is stated", "{place}：制造时间不可能晚于陈述时间"),
        Sentence("{place}: what cannot be read on the steel is not put on file", "{place}：钢印上看不清的内容不得建档"),
        Sentence("this is the cylinder of /body/codes/{place} once more", "这与 /body/codes/{place} 是同一只气瓶"),
        Sentence("this code is not among the codes of the rack", "此码不在本架的气瓶码之中"),
    ),
    "password_weak": (
        Sentence("take at least {count} characters; several words are easy to keep",
                 "至少 {count} 个字符；几个词连成一句便于记住"),
        Sentence("the password must not hold the user's id", "密码中不得含用户名"),
    ),
    "idempotency_key_differs": (
        Sentence("{header} must be the id in the body: one act, one id",
                 "{header} 须与正文中的编号相同：一个行为一个编号"),
    ),
    "id_conflict": (
        Sentence("this key made a webhook that was deleted or has another secret by now",
                 "此编号建立的推送地址已被删除，或已更换密钥"),
        Sentence("this {header} was used for another request; take a new one for each act",
                 "该 {header} 已用于另一请求；每个行为各用一个新的"),
        Sentence("id {id} is taken by an entry that says something else", "编号 {id} 已用于内容不同的记录"),
        Sentence("id {id} is taken by a sale to somebody else", "编号 {id} 已用于对他人的售气"),
        Sentence("id {id} is taken by a rack of another number of cylinders", "编号 {id} 已用于气瓶数不同的一架"),
        Sentence("check_id {id} was used for another question", "check_id {id} 已用于另一次检查"),
        Sentence("check_id {id} was used for another scan", "check_id {id} 已用于另一次扫码"),
        Sentence("client {id} is registered with other facts, or revoked; take another id",
                 "对接系统 {id} 已以不同内容登记，或已撤销；请换一个编号"),
        Sentence("{id} is the id of a system, a device or a token; take another one for the person",
                 "{id} 已是某对接系统、设备或令牌的编号；请为该人员换一个"),
        Sentence("user {id} is invited as somebody else; take another id", "用户 {id} 已用于邀请他人；请换一个编号"),
    ),
    "code_unreadable": (
        Sentence("no such code was ever issued; take it from the label", "从未发出过这样的码；请按标签填写"),
    ),
    "code_not_its_own": (
        Sentence("this code does not lead to this cylinder now; nothing is to be replaced",
                 "此码现在不指向该气瓶；没有可更换的标签"),
    ),
    "serial_differs": (
        Sentence("the serial read from the steel is not the one on file; correct one of them first",
                 "钢印上的出厂编号与档案不同；请先更正有误的一方"),
        Sentence("under this code a cylinder with another maker, serial or month is on file",
                 "此码之下已有制造单位、出厂编号或制造年月不同的气瓶"),
    ),
    "evidence_missing": (
        Sentence("a black flag needs the hash of at least one piece of evidence", "标记黑气瓶须至少附一份证据的哈希值"),
        Sentence("name the hashes of at least {count} pictures, each of another file: before with the code visible, "
                 "during, after",
                 "须附至少 {count} 张不同照片的哈希值：销毁前（可见气瓶码）、销毁中、销毁后"),
    ),
    "head_mark_foreign": (
        Sentence("its head bears the mark of {company_id}; only that company can register it",
                 "封头上是 {company_id} 的标记；只有该单位可为其建档"),
    ),
    "cannot_follow": (
        Sentence("it has another owner since; ask them for a new hand-over", "此后产权已变更；请现产权单位重新交接"),
        Sentence("no passed test of this lot is on record; a lot is released on its test",
                 "该批次没有合格的检测记录；放行以检测为准"),
        Sentence("no seizure by this authority stands", "本机关对该气瓶没有有效的查封"),
        Sentence("report {report_no} says passed already; state under a new report that the cylinder failed",
                 "报告 {report_no} 已写明合格；不合格请另用新的报告编号陈述"),
        Sentence("the cylinder was handed on since; ask for a new hand-over", "气瓶此后又交给他人；请重新交接"),
        Sentence("under report {report_no} these items failed: {items}", "报告 {report_no} 中以下项目不合格：{items}"),
        Sentence("you have not reported this cylinder lost; who did reports it found",
                 "该气瓶不是您报失的；谁报失，谁报告找回"),
        Sentence("device {device_id} is in force; it uploads its journal by itself",
                 "设备 {device_id} 仍在用；由它自行补传日志"),
        Sentence("{type} is not an event of {a} {kind}", "{type} 不是 {kind} 的事件"),
        Sentence("{type} cannot follow: the registration of this cylinder was withdrawn",
                 "该气瓶的建档已撤销，不能再记 {type}"),
        Sentence("{type} before {first}", "须先有 {first}，才能记 {type}"),
        Sentence("a cylinder is registered once; a correction is another event", "一只气瓶只建档一次；有误请作更正"),
        Sentence("a cylinder is made once; a correction is another event", "一只气瓶只记一次制造；有误请作更正"),
        Sentence("it is registered as {registration_no}; a cylinder has one live registration",
                 "该气瓶已登记为 {registration_no}；一只气瓶只有一个有效的使用登记"),
        Sentence("request {request_id} is about another code than {code}", "换标申请 {request_id} 针对的不是码 {code}"),
        Sentence("there is no open request {request_id} for a new tag", "没有未批复的换标申请 {request_id}"),
        Sentence("the cylinder has lived since it was registered; its registration is not withdrawn",
                 "该气瓶建档后已有使用记录；不能撤销建档"),
        Sentence("owner is {owner_id}, not {named}", "产权单位是 {owner_id}，不是 {named}"),
        Sentence("a passed inspection needs every mandatory item; missing: {items}",
                 "检验合格须做完全部必检项目；还缺：{items}"),
        Sentence("a correction needs a second person; its author cannot approve it",
                 "更正须由第二人同意；提出人不得自行同意"),
        Sentence("{field} cannot be {value}: {error}", "{field} 不能是 {value}：{error}"),
        Sentence("the personal data were erased; there is nothing left to read", "个人信息已删除，没有可查阅的内容"),
        Sentence("the personal data were erased before", "个人信息此前已删除"),
        Sentence("a gas lot is received once; what else comes in is another lot",
                 "一个气质批次只入库一次；再来的是另一批"),
        Sentence("a recall is opened once; what is recalled again is another recall",
                 "一次召回只发起一次；再次召回请另行发起"),
        Sentence("device {device_id} was cut off; another one is enrolled in its place",
                 "设备 {device_id} 已停用；请另登记一台设备代替"),
        Sentence("version {version} was published with another text; a change is a new version",
                 "版本 {version} 已以不同文本发布；修改请用新的版本号"),
        Sentence("versions {old} and {new} both begin on {day}", "版本 {old} 与 {new} 都自 {day} 起生效"),
        Sentence("version {old} is valid until {last}, and version {new} begins on {first} already",
                 "版本 {old} 有效至 {last}，而版本 {new} 自 {first} 起已生效"),
    ),
    "signature_unverified": (
        Sentence("an unlocking counts only under a key of {authority_id} that is on file: {error}",
                 "解锁须由 {authority_id} 已登记的密钥签名：{error}"),
    ),
    "occurred_in_future": (
        Sentence("occurred_at lies after the service's clock; check the device's clock",
                 "occurred_at 晚于服务时钟；请核对设备时钟"),
    ),
    "epcis_invalid": (
        Sentence("GS1-Capture-Error-Behaviour is one of {behaviours}",
                 "GS1-Capture-Error-Behaviour 须为 {behaviours} 之一"),
    ),
    "epcis_media_type": (
        Sentence("send Content-Type: {JSON} or {JSON_LD}", "请以 Content-Type: {JSON} 或 {JSON_LD} 发送"),
    ),
    "epcis_too_large": (
        Sentence("a document has at most {count} events", "一份文档至多 {count} 个事件"),
        Sentence("the body has more than {count} bytes", "正文超过 {count} 字节"),
    ),
    "epcis_ours": (
        Sentence("only the ledger states what event {numbers} of the list tells; nothing was taken",
                 "列表中第 {numbers} 个事件所述只由账本陈述；未收任何事件"),
    ),
    "epcis_query_parameter": (
        Sentence("nextPageToken: this is no token of this query; ask from its start",
                 "nextPageToken：不是本次查询的令牌；请从头查询"),
        Sentence("nextPageToken: the token has expired; ask from the start", "nextPageToken：令牌已过期；请从头查询"),
        Sentence("only perPage and {PARAMETER} are taken here", "此处只接受 perPage 与 {PARAMETER}"),
    ),
    "epcis_unknown": (
        Sentence("no capture job that you may see has this id", "没有您可见且为此编号的采集任务"),
        Sentence("no event that you may see has this id", "没有您可见且为此编号的事件"),
        Sentence("no event that you may see has this value", "没有您可见且有此取值的事件"),
        Sentence("there is nothing of this name under /epcis", "/epcis 之下没有此名称的资源"),
        Sentence("this query has no such subscription", "此查询没有这个订阅"),
    ),
    "epcis_query_invalid": (
        Sentence("name: 1 to 80 characters of A-Z a-z 0-9 . _ ~ -, a letter or digit first",
                 "name：1 至 80 个字符，限 A-Z a-z 0-9 . _ ~ -，首字符为字母或数字"),
    ),
    "epcis_name_unknown": (
        Sentence("your organisation has no query of this name", "贵单位没有此名称的查询"),
    ),
    "epcis_exists": (
        Sentence("your organisation has a query of this name; delete it first, or take another",
                 "贵单位已有此名称的查询；请先删除，或换一个名称"),
    ),
    "epcis_query_too_complex": (
        Sentence("an organisation keeps {count} queries; delete one first",
                 "每个单位最多保存 {count} 个查询；请先删除一个"),
    ),
    "epcis_subscription": (
        Sentence("a query has at most {count} subscriptions", "一个查询最多有 {count} 个订阅"),
        Sentence("a query with eventCountLimit or maxEventCount cannot be subscribed to",
                 "带 eventCountLimit 或 maxEventCount 的查询不可订阅"),
        Sentence("say either stream: true or a schedule", "请写 stream: true 或 schedule，二者取一"),
        Sentence("reportIfEmpty goes with a schedule: a stream tells only what is new",
                 "reportIfEmpty 只与 schedule 同用：流式订阅只推送新事件"),
        Sentence("initialRecordTime: write a date and time with its zone, 2026-04-01T08:00:00.000+08:00",
                 "initialRecordTime：须为带时区的日期时间，如 2026-04-01T08:00:00.000+08:00"),
        Sentence("dest: {error}", "dest：不是可投递的地址（{error}）"),
        Sentence("signatureToken: 1 to 500 bytes, or a whsec_ secret of Standard Webhooks",
                 "signatureToken：1 至 500 字节，或 Standard Webhooks 的 whsec_ 密钥"),
    ),
    "epcis_query_too_large": (
        Sentence("maxEventCount: the answer has more than {count} events", "maxEventCount：结果超过 {count} 个事件"),
    ),
    "epcis_uri_too_long": (
        Sentence("the query has more than {count} bytes; make it a named query",
                 "查询超过 {count} 字节；请改为命名查询"),
    ),
    "epcis_not_acceptable": (
        Sentence("answers are application/json or application/ld+json",
                 "答复为 application/json 或 application/ld+json"),
        Sentence("GS1-EPC-Format is one of {formats}", "GS1-EPC-Format 须为 {formats} 之一"),
        Sentence("an identifier here has no EPC URN, or nobody said how long its company prefix is; "
                 "ask with GS1-EPC-Format: Always_GS1_Digital_Link",
                 "此处有标识没有 EPC URN，或厂商识别代码的长度未知；请以 GS1-EPC-Format: Always_GS1_Digital_Link 查询"),
        Sentence("this service speaks {name} {VERSION} and no other version of it",
                 "本服务只用 {name} {VERSION}"),
    ),
    "too_many": (
        Sentence("more than {count} requests a minute; go on in {seconds} s",
                 "每分钟超过 {count} 次请求；请 {seconds} 秒后继续"),
    ),
    "internal": (
        Sentence("the service failed; it has been logged, and the same request may be sent again",
                 "服务出错，已记入日志；同一请求可原样再发"),
    ),
    "rulebook_missing": (
        Sentence("no rulebook {rulebook_id} has been published into this ledger",
                 "本账本中尚未发布规则手册 {rulebook_id}"),
    ),
    "not_published": (
        Sentence("{subject} has no entry under a published checkpoint yet",
                 "{subject} 在已发布的检查点之下还没有记录；请稍候再问"),
    ),
    "webhook_unknown": (
        Sentence("no webhook is on file under this id", "没有登记此编号的推送地址"),
    ),
    "message_unknown": (
        Sentence("no message of this webhook has this id, or it was cleaned away",
                 "此推送地址没有此编号的消息，或已被清理"),
    ),
    "webhook_off": (
        Sentence("the webhook is switched off; switch it on first", "推送地址已关闭；请先打开"),
    ),
    "webhooks_full": (
        Sentence("an organisation has at most {most} webhooks; delete one first",
                 "一个单位最多有 {most} 个推送地址；请先删除一个"),
    ),
    "unavailable": (
        Sentence("the list of dead codes is being made; ask again", "正在生成报废注销码名单；请稍候再问"),
        Sentence("the vault does not open with the service's master key", "服务的主密钥打不开个人信息库"),
        Sentence("too many connections are open at once; come again", "同时打开的连接过多；请稍候再来"),
        Sentence("the database does not answer; try again", "数据库没有应答；请稍候重试"),
        Sentence("what the ledger holds of {subject} was written by a newer version of this service; try again",
                 "{subject} 的记录由本服务的较新版本写入；请稍候重试"),
        Sentence("an entry was written by a newer version of this service; try again",
                 "有记录由本服务的较新版本写入；请稍候重试"),
        Sentence("the answer could not be kept; send the same again", "答复未能保存；请原样再发一次"),
    ),
}
# fmt: on

FAULTS_ZH = {
    "missing": "缺少此项",
    "extra_forbidden": "没有此项",
    "string_type": "须为文字",
    "string_too_short": "文字过短",
    "string_too_long": "文字过长",
    "string_pattern_mismatch": "写法不符",
    "int_type": "须为整数",
    "int_parsing": "须为整数",
    "int_from_float": "须为整数",
    "bool_type": "须为 true 或 false",
    "bool_parsing": "须为 true 或 false",
    "literal_error": "不在可选值之内",
    "enum": "不在可选值之内",
    "greater_than": "数值过小",
    "greater_than_equal": "数值过小",
    "less_than": "数值过大",
    "less_than_equal": "数值过大",
    "too_short": "项数过少",
    "too_long": "项数过多",
    "json_invalid": "不是 JSON",
    "json_type": "须为 JSON",
    "model_type": "须为对象",
    "dict_type": "须为对象",
    "list_type": "须为数组",
    "tuple_type": "须为数组",
}
"""What is wrong with a field, by the kind of fault."""
_NAME = re.compile(r"\{(\w+)\}")


def chinese_of(code: str, detail: str) -> str | None:
    """The sentence `detail` of a refusal in Chinese; None where it is in no catalogue."""
    for pattern, zh in _patterns(code):
        if found := pattern.fullmatch(detail):
            return zh.format_map(found.groupdict())
    return None


@lru_cache
def _patterns(code: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Of two sentences that fit, the one with more words of its own comes first."""
    said = sorted(SENTENCES.get(code, ()), key=lambda sentence: -len(_NAME.sub("", sentence.en)))
    return tuple((_pattern(sentence.en), sentence.zh) for sentence in said)


def _pattern(english: str) -> re.Pattern[str]:
    words = _NAME.split(english)
    parts = (f"(?P<{word}>.+)" if place % 2 else re.escape(word) for place, word in enumerate(words))
    return re.compile("".join(parts), re.DOTALL)
