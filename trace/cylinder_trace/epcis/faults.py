"""What can be wrong with an EPCIS document (不合之处): where, a word for it, and a sentence in both languages.

A sentence never repeats what was sent: it may hold personal data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_TOLD = 100
"""After so many faults nothing more is looked for: whoever wrote the document begins with these."""

_SAYS: dict[str, tuple[str, str]] = {
    "not_utf8": ("the text is not UTF-8", "文本不是 UTF-8"),
    "not_json": ("this is not JSON, at character {0}", "不是 JSON，第 {0} 个字符处"),
    "named_twice": ("an object names a field twice; name it once", "同一对象中字段重名；只写一次"),
    "number_too_long": (
        "a number is not finite or has more than {0} characters",
        "数值不是有限数，或超过 {0} 个字符",
    ),
    "bad_text": ("a text holds half a character or a NUL", "文本含半个字符或 NUL"),
    "too_deep": ("nested more than {0} deep", "嵌套超过 {0} 层"),
    "event_too_large": ("the event has more than {0} bytes", "事件超过 {0} 字节"),
    "event_too_full": (
        "the event has more than {0} values to be found by; part it",
        "事件的可检索值超过 {0} 个；请拆分",
    ),
    "missing": ("{0} is missing", "缺少 {0}"),
    "wrong_kind": ("this must be {0}", "此处须为{0}"),
    "not_a_uri": ("this is not a URI", "不是 URI"),
    "uri_too_long": ("a URI has at most {0} characters", "URI 至多 {0} 个字符"),
    "unknown_field": (
        "EPCIS has no such field here; a field of your own has a prefix that @context declares",
        "EPCIS 在此没有这一字段；自有字段须带 @context 中声明的前缀",
    ),
    "unknown_word": (
        "this is no word of CBV 2.0 here; a word of your own is a URI",
        "此处没有这一 CBV 2.0 词；自有词须为 URI",
    ),
    "old_word": (
        "words of this namespace are written bare in JSON, as in inspecting",
        "该命名空间的词在 JSON 中只写裸词，如 inspecting",
    ),
    "undeclared_prefix": ("@context declares no such prefix", "@context 没有声明这一前缀"),
    "bad_time": (
        "this is not a date and time with its zone, as in 2026-04-01T08:00:00.000+08:00",
        "不是带时区的日期时间，如 2026-04-01T08:00:00.000+08:00",
    ),
    "bad_offset": ("this is not a zone as in +08:00", "不是 +08:00 这样的时区"),
    "bad_pattern": ("this must look like {0}", "须形如 {0}"),
    "not_one_of": ("this must be one of {0}", "须为 {0} 之一"),
    "only_when_made": (
        "ilmd stands only where a thing begins: in an ObjectEvent with action ADD or in a TransformationEvent",
        "ilmd 只用于事物之始：action 为 ADD 的 ObjectEvent，或 TransformationEvent",
    ),
    "repeated": ("the list holds this value before", "列表中已有此值"),
    "empty": ("the list must not be empty", "列表不可为空"),
    "about_nothing": ("the event needs {0}", "事件须有 {0}"),
    "wrong_length": ("a part of this GS1 identifier is too short or too long", "GS1 标识有一部分过短或过长"),
    "wrong_character": ("a part of this GS1 identifier holds what does not belong there", "GS1 标识含不应有的字符"),
    "wrong_check_digits": ("the check digit of this GS1 identifier is wrong", "GS1 标识的校验位不对"),
    "missing_filler": (
        "a GRAI in a link begins with the filler 0, then 12 digits and their check digit",
        "链接中的 GRAI 以填充位 0 开头，随后 12 位数字与校验位",
    ),
    "missing_serial": ("the serial of this GS1 identifier is empty", "GS1 标识缺序列号"),
    "serial_too_long": ("the serial of this GS1 identifier is too long", "GS1 标识的序列号过长"),
    "unknown_scheme": ("GS1 has no such kind of identifier", "GS1 没有这一种标识"),
    "not_a_link": ("this is not a GS1 Digital Link", "不是 GS1 Digital Link"),
    "foreign_link": (
        "under GS1's own host a key and its value are parted by a plain slash, as in /8003/09520001123450…",
        "在 GS1 的主机下，键与值以普通斜杠分开，如 /8003/09520001123450…",
    ),
    "no_epcis_context": (
        "@context must name GS1's context of EPCIS 2.0, {0}",
        "@context 须含 GS1 的 EPCIS 2.0 上下文 {0}",
    ),
    "unknown_context": (
        "nothing is fetched from elsewhere: declare the prefixes here, or name GS1's own context",
        "不从他处取上下文：请就地声明前缀，或引用 GS1 的上下文",
    ),
    "nested_context": ("a context must not hold or import another", "上下文不可再含或引入另一上下文"),
    "bad_context": ("this cannot stand in a context: a prefix stands for a URI", "上下文中不可如此：前缀代表一个 URI"),
    "context_in_circle": ("prefixes are explained by each other in a circle", "前缀互相解释，成环"),
    "prefix_taken": ("GS1's context gives this prefix another meaning", "GS1 的上下文已给此前缀另一含义"),
    "context_too_large": ("a context has at most {0} entries", "上下文至多 {0} 项"),
    "context_too_long": ("a context has at most {0} characters", "上下文至多 {0} 个字符"),
}
_KINDS = {
    "text": ("a text", "文本"),
    "object": ("an object", "对象"),
    "list": ("a list", "列表"),
    "number": ("a number", "数值"),
    "boolean": ("true or false", " true 或 false"),
    "context": ("a URI, an object or a list of these", " URI、对象或其列表"),
}


class Fault(NamedTuple):
    """One thing that is wrong."""

    pointer: str
    """JSON pointer into what was sent."""
    word: str
    en: str
    zh: str


Place = tuple[str | int, ...]


class TooManyFaults(Exception):
    """Nobody reads on."""


@dataclass(slots=True)
class Faults:
    """What was found so far."""

    found: list[Fault] = field(default_factory=list)

    def add(self, place: Place, word: str, *about: object) -> None:
        """Tell of one more; raises TooManyFaults when there are enough."""
        self.found.append(fault(place, word, *about))
        if len(self.found) >= MOST_TOLD:
            raise TooManyFaults

    def wrong_kind(self, place: Place, kind: str) -> None:
        """The value is not of this kind."""
        self.add(place, "wrong_kind", kind)


def fault(place: Place, word: str, *about: object) -> Fault:
    """What is wrong at a place."""
    en, zh = _SAYS[word]
    if word == "wrong_kind":
        kind_en, kind_zh = _KINDS[str(about[0])]
        return Fault(pointer_of(place), word, en.format(kind_en), zh.format(kind_zh))
    return Fault(pointer_of(place), word, en.format(*about), zh.format(*about))


def pointer_of(place: Sequence[str | int]) -> str:
    """As RFC 6901 writes it; a name longer than anybody's own is cut."""
    return "".join(_steps(place))


def _steps(place: Sequence[str | int]) -> Iterator[str]:
    for part in place:
        yield "/" + str(part)[:100].replace("~", "~0").replace("/", "~1")
