"""What detection finds: a signal (线索) with its evidence, in words that ask somebody to look and accuse nobody."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from cylinder_trace.values import Frozen, Instant, Sha256, Subject

Detail = dict[str, str | int]
"""What makes a signal's sentence concrete."""

Kind = Literal[
    "two_places",
    "filled_twice",
    "many_fills",
    "duplicate_serial",
    "after_its_end",
    "filled_at_customer",
    "moved_back_and_forth",
    "known_late",
    "inspection_rate",
    "inspection_readings",
    "no_rejects",
    "ring_ahead",
    "mass_balance",
    "night_fills",
    "worker_in_two_places",
]


class Signal(Frozen):
    """Something to look at: what, about whom, and the entries that show it, by their hashes."""

    kind: Kind
    subject: Subject
    at: Instant
    """When the last thing that makes it up occurred, UTC ms."""
    detail: Detail
    evidence: tuple[Sha256, ...]
    """Hashes of the entries, in the order of the log; the first and the last where there are many."""


class Words(NamedTuple):
    """A kind's name and sentence in both languages; `{name}` is filled from the signal's details."""

    zh: str
    en: str
    said_zh: str
    said_en: str


WORDS: Mapping[Kind, Words] = {
    "two_places": Words(
        "一码两地", "one code, two places",
        "同一气瓶 {minutes} 分钟内在 {first} 和 {second} 出现,请核对钢印",
        "the same cylinder was scanned at {first} and at {second} within {minutes} min; compare the stamps",
    ),
    "filled_twice": Words(
        "未回收又充装", "filled twice",
        "两次充装之间没有空瓶回收记录,请核对流转",
        "it was filled twice with no return recorded between; look at where it was",
    ),
    "many_fills": Words(
        "一码多充", "one code, many fills",
        "{hours} 小时内充装 {count} 次,请核对是否逐瓶扫码",
        "it was filled {count} times within {hours} h; see whether each cylinder is scanned itself",
    ),
    "duplicate_serial": Words(
        "钢印编号重复", "same stamp, two cylinders",
        "制造单位、编号、年份与 {other} 相同,请核对实物",
        "maker, serial number and year are those of {other} too; look at the steel",
    ),
    "after_its_end": Words(
        "报废后又出现", "seen after its end",
        "已于 {end} 报废或注销,其后又有“{word}”记录,请追查实物",
        "it ended on {end}, and “{word}” was recorded about it afterwards; find the cylinder",
    ),
    "filled_at_customer": Words(
        "在用户处时充装", "filled while at a customer",
        "记录显示在用户处,却在 {station} 充装,请核对流转",
        "by the record it was at a customer when {station} filled it; look at where it was",
    ),
    "moved_back_and_forth": Words(
        "产权往返", "ownership back and forth",
        "{days} 天内由 {owner} 转给 {other} 又转回,其间充装 {fills} 次,请核对转让",
        "{owner} gave it to {other} and had it back within {days} days; fills in between: {fills}",
    ),
    "known_late": Words(
        "事后得知", "known only afterwards",
        "“{word}”记录之前 {days} 天内充装 {fills} 次,最近持有者 {holder},请核实去向",
        "fills in the {days} days before “{word}” was recorded: {fills}; {holder} had it last",
    ),
    "inspection_rate": Words(
        "检验数量异常", "many inspections in a day",
        "{day} 一天检验 {count} 只,超过 {limit} 只,请核查检验能力",
        "{count} inspections on {day}, more than {limit}; compare with what the line can do",
    ),
    "inspection_readings": Words(
        "检验读数相同", "the same reading again and again",
        "连续 {count} 只“{item}”读数均为 {reading},请核查原始记录",
        "“{item}” read {reading} on {count} cylinders in a row; look at the original records",
    ),
    "no_rejects": Words(
        "长期无不合格", "no rejects",
        "连续 {count} 只全部合格,请抽查",
        "{count} cylinders in a row passed; check a sample",
    ),
    "ring_ahead": Words(
        "检验标记超前", "inspection mark ahead of time",
        "标记为 {inspected} 检、有效至 {due},与记录时间 {recorded} 或 {interval} 个月的周期不符",
        "marked as inspected {inspected}, due {due}; recorded in {recorded}, and the interval is {interval} months",
    ),
    "mass_balance": Words(
        "气量不平衡", "mass balance",
        "至 {day} 共充出 {filled_kg} 千克,登记进气 {received_kg} 千克,请核对",
        "{filled_kg} kg filled up to {day}, {received_kg} kg received by the record; compare them",
    ),
    "night_fills": Words(
        "夜间充装", "night fills",
        "{day} 夜间({from_hour}–{to_hour} 时)充装 {count} 只,请核对值班",
        "{count} fills in the night of {day} ({from_hour}–{to_hour} h); compare with the shift list",
    ),
    "worker_in_two_places": Words(
        "一证两地", "one certificate, two places",
        "{minutes} 分钟内在 {first} 和 {second} 均有作业记录,请核对本人",
        "acts at {first} and at {second} within {minutes} min; see who was where",
    ),
}  # fmt: skip


_WORD_ZH: Mapping[str, str] = {
    "fill_decided": "准充决定",
    "filled": "充装",
    "sold": "实名销售",
    "returned": "空瓶回收",
    "left_station": "出站",
    "inspected": "定期检验",
    "ownership_transferred": "产权变更",
    "flagged": "标记",
    "recalled": "召回到瓶",
    "seized": "查封扣押",
    "reported_lost": "丢失",
    "condemned": "报废判定",
    "registration_cancelled": "注销",
}
"""Words of events as people read them in Chinese."""


_ITEM_ZH: Mapping[str, str] = {
    "residue": "残液处理",
    "valve_removal": "卸阀",
    "appearance": "外观",
    "valve_seat": "瓶口螺纹",
    "wall_thickness": "壁厚",
    "volume": "容积",
    "hydrostatic": "水压",
    "valve": "瓶阀",
    "airtightness": "气密",
    "vacuum": "抽真空",
    "marking": "标记",
}
"""Items of an inspection, the same."""


def sentence(signal: Signal, language: Literal["zh", "en"]) -> str:
    """The signal as one sentence for people."""
    words, told = WORDS[signal.kind], dict(signal.detail)
    if language == "en":
        told |= {name: str(told[name]).replace("_", " ") for name in ("word", "item") if name in told}
        return words.said_en.format_map(told)
    for name, in_chinese in (("word", _WORD_ZH), ("item", _ITEM_ZH)):
        if name in told:
            told[name] = in_chinese.get(str(told[name]), told[name])
    return words.said_zh.format_map(told)
