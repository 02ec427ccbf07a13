"""The query language of EPCIS 2.0 (查询语言): parameters of a URL, or of a JSON object → one `Query`.

Left out, and refused by name: ``HASATTR_…`` and ``EQATTR_…``, master data (主数据) that nobody keeps here.
``WD_…`` therefore knows the descendants that an address itself shows: what stands below it behind a slash.
Quantities and measurements are compared in the unit that the parameter names; none is converted.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from cylinder_trace.epcis.addresses import PREFIX, VOCABULARY
from cylinder_trace.epcis.cbv import (
    ACTIONS,
    BIZ_STEPS,
    BIZ_TRANSACTION_TYPES,
    DISPOSITIONS,
    ERROR_REASONS,
    MEASUREMENT_TYPES,
    PREFIXES,
    SOURCE_DEST_TYPES,
    Vocabulary,
)
from cylinder_trace.epcis.indexing import (
    Expand,
    id_of,
    instant_of,
    instant_text,
    number_of,
    number_text,
    scalar_values,
    short,
    word_of,
)
from cylinder_trace.epcis.patterns import is_pattern, spans_of
from cylinder_trace.epcis.query import (
    PER_PAGE,
    Column,
    ColumnCondition,
    Condition,
    Order,
    Query,
    QueryFault,
    Span,
    TermCondition,
)

Scalar = str | float | bool | None
Given = Mapping[str, Sequence[Scalar]]
"""Each parameter by its name, with its values."""

MOST_PARAMETERS = 64
MOST_VALUES = 100
"""Of one parameter."""
MOST_CHARACTERS = 2_000
"""Of one value, or of a name."""
MOST_PER_PAGE = 1_000
MOST_EVENTS = 1_000_000_000


def parse_url_query(
    items: Iterable[tuple[str, str]], prefixes: Mapping[str, str] | None = None, *, paging: bool = True
) -> Query:
    """The query in a URL's parameters, percent-decoded; `prefixes` are declared for names of extensions.

    ``perPage`` is one of them where `paging`; ``nextPageToken`` is the caller's own affair.  Raises QueryFault.
    """
    given: dict[str, list[Scalar]] = {}
    for name, value in items:
        given.setdefault(name, []).extend(value.split("|"))
        if len(given) > MOST_PARAMETERS:
            raise _too_many_parameters(name)
    return _query(given, _expander(prefixes or {}), paging=paging)


def parse_query_object(value: object, context: Callable[[str], str] | None = None, *, paging: bool = True) -> Query:
    """The query that a JSON object says; `context` expands by its ``@context``. Raises QueryFault."""
    if not isinstance(value, Mapping):
        raise QueryFault("invalid", "query", "is not a JSON object", "不是 JSON 对象")
    held = {key: item for key, item in value.items() if key != "@context"}
    if len(held) > MOST_PARAMETERS:
        raise _too_many_parameters(next(iter(held)))
    own = _expander({})
    expand = own if context is None else lambda text: own(context(text))
    return _query({name: _scalars(name, item) for name, item in held.items()}, expand, paging=paging)


def _scalars(name: str, value: object) -> Sequence[Scalar]:
    return [_scalar(name, item) for item in (value if isinstance(value, list) else [value])]


def _scalar(name: str, item: object) -> Scalar:
    match item:
        case None | bool() | str():
            return item
        case int() | float() if abs(item) <= 1e300:
            return float(item)
    raise QueryFault("invalid", name, "takes text, numbers or a list of them", "只接受文本、数字或其列表")


def _too_many_parameters(name: str) -> QueryFault:
    return QueryFault(
        "too_complex",
        name,
        f"a query has at most {MOST_PARAMETERS} parameters; ask in several",
        f"一次查询最多 {MOST_PARAMETERS} 个参数；请分几次查询",
    )


def _expander(prefixes: Mapping[str, str]) -> Expand:
    known = {**PREFIXES, PREFIX: VOCABULARY, **prefixes}

    def expand(text: str) -> str:
        prefix, colon, rest = text.partition(":")
        return known[prefix] + rest if colon and prefix in known and not rest.startswith("//") else text

    return expand


class _Parameter(NamedTuple):
    """One parameter as it was given."""

    name: str
    values: Sequence[Scalar]
    expand: Expand

    def fault(self, en: str, zh: str) -> QueryFault:
        return QueryFault("parameter", self.name, en, zh)

    def texts(self) -> list[str]:
        return [self._text(value) for value in self.values]

    def _text(self, value: Scalar) -> str:
        match value:
            case str() if value.strip():
                return value
            case bool():
                return str(value).lower()
            case int() | float():
                return repr(int(value)) if value == int(value) else repr(value)
        raise self.fault("has an empty value", "有空值")

    def one(self) -> str:
        texts = self.texts()
        if len(texts) != 1:
            raise self.fault("takes one value", "只接受一个值")
        return texts[0]

    def instant(self) -> int:
        try:
            return instant_of(self.one().replace(" ", "+"))  # a + that was not percent-encoded
        except ValueError:
            raise self.fault(
                "takes a date and time with its zone, 2026-04-01T08:00:00.000+08:00",
                "须为带时区的日期时间，如 2026-04-01T08:00:00.000+08:00",
            ) from None

    def numbers(self) -> list[float]:
        found = [number_of(text) for text in self.texts()]
        numbers = [number for number in found if number is not None]
        if len(numbers) < len(found):
            raise self.fault("takes numbers", "须为数字")
        return numbers

    def number(self) -> float:
        self.one()
        return self.numbers()[0]

    def whole(self, least: int, most: int) -> int:
        number = self.number()
        if number != int(number) or not least <= number <= most:
            raise self.fault(f"takes a whole number from {least} to {most}", f"须为 {least} 至 {most} 的整数")
        return int(number)

    def ids(self) -> frozenset[str]:
        return frozenset(short(id_of(text, self.expand)) for text in self.texts())

    def words(self, vocabulary: Vocabulary) -> frozenset[str]:
        return frozenset(short(self._word(vocabulary, text)) for text in self.texts())

    def _word(self, vocabulary: Vocabulary, text: str) -> str:
        word = word_of(vocabulary, text, self.expand)
        if word not in vocabulary.words and ":" not in word:
            raise self.fault(
                "takes words of the CBV, or addresses of words of one's own", "须为 CBV 的词，或自有词的完整地址"
            )
        return word

    def is_set(self) -> bool:
        """Whether an EXISTS is meant: false asks for nothing."""
        values = [value for value in self.values if value is not None]
        if len(values) > 1 or not all(str(value).lower() in _YES + _NO for value in values):
            raise self.fault("takes true or false", "须为 true 或 false")
        return not values or str(values[0]).lower() in _YES


_YES, _NO = ("true", "1", "1.0", ""), ("false", "0", "0.0")
_FIXED = frozenset(("orderBy", "orderDirection", "eventCountLimit", "maxEventCount", "perPage"))


def _query(given: Given, expand: Expand, *, paging: bool) -> Query:
    parameters = {name: _Parameter(name, values, expand) for name, values in given.items()}
    terms: list[TermCondition] = []
    columns: list[ColumnCondition] = []
    for name, parameter in parameters.items():
        _require_sensible(parameter)
        if name in _FIXED:
            continue
        for condition in _conditions(parameter):
            if isinstance(condition, TermCondition):
                terms.append(condition)
            else:
                columns.append(condition)
    limit, most = _limits(parameters)
    per_page = parameters.get("perPage")
    if per_page and not paging:
        raise per_page.fault("is not for a query that is kept", "保存的查询不带此参数")
    size = per_page.whole(1, MOST_EVENTS) if per_page else PER_PAGE
    return Query(
        tuple(terms), tuple(columns), _order(parameters, expand), limit, most, min(size, MOST_PER_PAGE)
    )  # fmt: skip


def _require_sensible(parameter: _Parameter) -> None:
    if len(parameter.values) > MOST_VALUES:
        raise QueryFault(
            "too_complex",
            parameter.name,
            f"takes at most {MOST_VALUES} values; ask in several queries",
            f"最多 {MOST_VALUES} 个值；请分几次查询",
        )
    if not parameter.values:
        raise parameter.fault("has no value", "没有值")
    longest = max(len(value) for value in (parameter.name, *parameter.values) if isinstance(value, str))
    if longest > MOST_CHARACTERS:
        raise QueryFault(
            "too_complex",
            parameter.name,
            f"has a value of more than {MOST_CHARACTERS} characters",
            f"有超过 {MOST_CHARACTERS} 个字符的值",
        )
    if any("\x00" in value for value in parameter.values if isinstance(value, str)):
        raise parameter.fault("has a character that no text holds", "含有文本中不会有的字符")


def _limits(parameters: Mapping[str, _Parameter]) -> tuple[int | None, int | None]:
    limit, most = parameters.get("eventCountLimit"), parameters.get("maxEventCount")
    if limit and most:
        raise limit.fault("cannot stand beside maxEventCount", "不可与 maxEventCount 同用")
    if limit and "orderBy" not in parameters:
        raise limit.fault("needs orderBy beside it", "须与 orderBy 同用")
    return limit and limit.whole(1, MOST_EVENTS), most and most.whole(0, MOST_EVENTS)


def _order(parameters: Mapping[str, _Parameter], expand: Expand) -> Order:
    direction = parameters.get("orderDirection")
    if direction and direction.one() not in ("ASC", "DESC"):
        raise direction.fault("takes ASC or DESC", "须为 ASC 或 DESC")
    by = parameters.get("orderBy")
    if by is None:
        return _order_by_the_times(parameters)
    descending = direction is None or direction.one() == "DESC"
    column = {"eventTime": "event_time", "recordTime": "record_time"}.get(by.one())
    return Order(column or _field_name(by, by.one()), descending)


def _order_by_the_times(parameters: Mapping[str, _Parameter]) -> Order:
    """No order is asked for: along the time that is bounded, which finds such events soonest."""
    if "GE_recordTime" in parameters:
        return Order("record_time")
    return Order("event_time" if parameters.keys() & {"GE_eventTime", "LT_eventTime"} else None)


def _conditions(parameter: _Parameter) -> Iterable[Condition]:
    name = parameter.name
    if build := _BY_NAME.get(name):
        return build(parameter)
    for pattern, of_family in _FAMILIES:
        if found := pattern.fullmatch(name):
            return of_family(parameter, *found.groups())
    if name.startswith(("HASATTR_", "EQATTR_", "EQ_ATTR_")):
        raise parameter.fault("asks for master data, which is not kept here", "查询主数据，本服务不保存主数据")
    raise parameter.fault("this query language has no such parameter", "查询语言没有这个参数")


_Build = Callable[[_Parameter], Iterable[Condition]]
_EVERY = (Span(None, None),)


def _ids_in(*names: str) -> _Build:
    return lambda asked: [TermCondition(asked.name, names, asked.ids())]


def _words_in(vocabulary: Vocabulary, *names: str) -> _Build:
    return lambda asked: [TermCondition(asked.name, names, asked.words(vocabulary))]


def _texts_in(name: str) -> _Build:
    return lambda asked: [TermCondition(asked.name, (name,), frozenset(short(text) for text in asked.texts()))]


def _matching(*names: str) -> _Build:
    def build(asked: _Parameter) -> Iterable[Condition]:
        values, spans = set(), list[Span]()
        for text in asked.texts():
            if is_pattern(text):
                found = spans_of(text)
                if found is None:
                    raise asked.fault("holds a pattern that cannot be read", "含有无法识别的模式")
                spans += [Span(low, high) for low, high in found]
            # A pattern also writes the class of all that it matches: a product, a type of asset.
            values.add(short(id_of(text, asked.expand)))
        return [TermCondition(asked.name, names, frozenset(values), tuple(spans))]

    return build


def _column_ids(column: Column) -> _Build:
    return lambda asked: [ColumnCondition(asked.name, column, asked.ids())]


def _column_words(column: Column, vocabulary: Vocabulary) -> _Build:
    return lambda asked: [ColumnCondition(asked.name, column, asked.words(vocabulary))]


def _with_descendants(column: Column) -> _Build:
    """The address itself and all below it: ``…/414/9520001000010`` and ``…/414/9520001000010/254/L3``."""

    def build(asked: _Parameter) -> Iterable[Condition]:
        ids = asked.ids()
        return [ColumnCondition(asked.name, column, ids, tuple(Span(f"{one}/", f"{one}0") for one in sorted(ids)))]

    return build


def _time_from(column: Column) -> _Build:
    return lambda asked: [ColumnCondition(asked.name, column, spans=(Span(asked.instant(), None),))]


def _time_below(column: Column) -> _Build:
    return lambda asked: [ColumnCondition(asked.name, column, spans=(Span(None, asked.instant()),))]


def _types(asked: _Parameter) -> Iterable[Condition]:
    return [ColumnCondition(asked.name, "type", frozenset(asked.expand(text) for text in asked.texts()))]


def _actions(asked: _Parameter) -> Iterable[Condition]:
    if not ACTIONS.issuperset(asked.texts()):
        raise asked.fault("takes ADD, OBSERVE and DELETE", "须为 ADD、OBSERVE 或 DELETE")
    return [ColumnCondition(asked.name, "action", frozenset(asked.texts()))]


def _event_ids(asked: _Parameter) -> Iterable[Condition]:
    return [ColumnCondition(asked.name, "event_id", frozenset(asked.texts()))]


def _has_error(asked: _Parameter) -> Iterable[Condition]:
    return [ColumnCondition(asked.name, "error_time", spans=(Span(-(2**62), None),))] if asked.is_set() else []


def _has_sensors(asked: _Parameter) -> Iterable[Condition]:
    return [TermCondition(asked.name, ("sensor",), spans=_EVERY)] if asked.is_set() else []


def _truth(asked: _Parameter) -> Iterable[Condition]:
    text = asked.one().lower()
    if text not in ("true", "false"):
        raise asked.fault("takes true or false", "须为 true 或 false")
    return [TermCondition(asked.name, ("sensor:booleanValue",), frozenset((text,)))]


_BY_NAME: dict[str, _Build] = {
    "eventType": _types,
    "EQ_action": _actions,
    "EQ_bizStep": _column_words("biz_step", BIZ_STEPS),
    "EQ_disposition": _column_words("disposition", DISPOSITIONS),
    "EQ_persistentDisposition_set": _words_in(DISPOSITIONS, "pd_set"),
    "EQ_persistentDisposition_unset": _words_in(DISPOSITIONS, "pd_unset"),
    "EQ_readPoint": _column_ids("read_point"),
    "WD_readPoint": _with_descendants("read_point"),
    "EQ_bizLocation": _column_ids("biz_location"),
    "WD_bizLocation": _with_descendants("biz_location"),
    "EQ_transformationID": _ids_in("transformation"),
    "EQ_eventID": _event_ids,
    "MATCH_epc": _matching("epc"),
    "MATCH_parentID": _matching("parent"),
    "MATCH_inputEPC": _matching("input"),
    "MATCH_outputEPC": _matching("output"),
    "MATCH_anyEPC": _matching("epc", "parent", "input", "output"),
    "MATCH_epcClass": _matching("epc_class"),
    "MATCH_inputEPCClass": _matching("input_class"),
    "MATCH_outputEPCClass": _matching("output_class"),
    "MATCH_anyEPCClass": _matching("epc_class", "input_class", "output_class"),
    "EXISTS_errorDeclaration": _has_error,
    "EQ_errorReason": _words_in(ERROR_REASONS, "error_reason"),
    "EQ_correctiveEventID": _texts_in("corrective"),
    "EXISTS_sensorElementList": _has_sensors,
    "EQ_type": _words_in(MEASUREMENT_TYPES, "sensor:type"),
    **{
        f"EQ_{name}": _ids_in(f"sensor:{name}")
        for name in (
            "deviceID", "dataProcessingMethod", "microorganism", "chemicalSubstance", "bizRules", "uriValue",
        )
    },
    "EQ_stringValue": _texts_in("sensor:stringValue"),
    "EQ_hexBinaryValue": _texts_in("sensor:hexBinaryValue"),
    "EQ_booleanValue": _truth,
}  # fmt: skip
_TIMES: dict[str, Column] = {
    "eventTime": "event_time",
    "recordTime": "record_time",
    # GS1's schema of the query object and its REST description write it in these two ways
    "errorDeclarationTime": "error_time",
    "errorDeclaration_Time": "error_time",
}
for _name, _column in _TIMES.items():
    _BY_NAME[f"GE_{_name}"] = _time_from(_column)
    _BY_NAME[f"LT_{_name}"] = _time_below(_column)


def _compared(comparison: str, kind: str, size: str) -> tuple[frozenset[str], tuple[Span, ...]]:
    """The values, or the span, that stand so to one written by `number_text`; `kind`: what such values begin with."""
    value, behind, end = kind + size, f"{kind}{size}!", chr(ord(kind) + 1)
    match comparison:
        case "EQ":
            return frozenset((value,)), ()
        case "GE":
            return frozenset(), (Span(value, end),)
        case "GT":
            return frozenset(), (Span(behind, end),)
        case "LT":
            return frozenset(), (Span(kind, value),)
    return frozenset(), (Span(kind, behind),)


def _numbers_compared(asked: _Parameter, comparison: str, name: str) -> Iterable[Condition]:
    if comparison == "EQ":
        values = frozenset(f"n{number_text(number)}" for number in asked.numbers())
        return [TermCondition(asked.name, (name,), values)]
    return [TermCondition(asked.name, (name,), *_compared(comparison, "n", number_text(asked.number())))]


def _quantity(asked: _Parameter, comparison: str, uom: str | None) -> Iterable[Condition]:
    return _numbers_compared(asked, comparison, f"quantity:{uom}" if uom else "quantity")


def _measured(asked: _Parameter, comparison: str, name: str, uom: str) -> Iterable[Condition]:
    return _numbers_compared(asked, comparison, f"sensor:{name}:{uom}")


def _rank(asked: _Parameter, comparison: str) -> Iterable[Condition]:
    return _numbers_compared(asked, comparison, "sensor:percRank")


def _sensed_at(asked: _Parameter, comparison: str, name: str) -> Iterable[Condition]:
    return [TermCondition(asked.name, (f"sensor:{name}",), *_compared(comparison, "t", instant_text(asked.instant())))]


_PAIRED = {
    "bizTransaction": ("biztx", BIZ_TRANSACTION_TYPES),
    "source": ("source", SOURCE_DEST_TYPES),
    "destination": ("dest", SOURCE_DEST_TYPES),
}


def _paired(asked: _Parameter, kind: str, type: str) -> Iterable[Condition]:
    name, vocabulary = _PAIRED[kind]
    whole = word_of(vocabulary, type, asked.expand)
    return [TermCondition(asked.name, (short(f"{name}:{whole}"),), asked.ids())]


_SECTIONS = {
    "ILMD": "ilmd",
    "ERROR_DECLARATION": "error",
    "SENSORELEMENT": "sensor_element",
    "SENSORMETADATA": "sensor_metadata",
    "SENSORREPORT": "sensor_report",
    "readPoint": "read_point",
    "bizLocation": "biz_location",
}
_FIELD = re.compile(rf"(INNER_)?(?:({'|'.join(_SECTIONS)})_)?([^:]+:.+)", re.DOTALL)


def _field(asked: _Parameter, comparison: str, field: str) -> Iterable[Condition]:
    names = (_field_name(asked, field),)
    if comparison == "EXISTS":
        return [TermCondition(asked.name, names, spans=_EVERY)] if asked.is_set() else []
    if comparison == "EQ":
        values = {short(one) for value in asked.values for one in _equal_to(asked, value)}
        return [TermCondition(asked.name, names, frozenset(values))]
    size = number_of(asked.one())
    kind, text = ("t", instant_text(asked.instant())) if size is None else ("n", number_text(size))
    return [TermCondition(asked.name, names, *_compared(comparison, kind, text))]


def _equal_to(asked: _Parameter, value: Scalar) -> Iterable[str]:
    text = asked._text(value)
    yield from scalar_values(value)
    if text in ("true", "false"):
        yield from (f"b{text}", f"s{text}")


def _field_name(asked: _Parameter, field: str) -> str:
    """The name of an extension's term: ``ext:https://…`` of ``lpg:decision`` or of the whole address."""
    found = _FIELD.fullmatch(field)
    if found is None:
        raise asked.fault("this query language has no such parameter", "查询语言没有这个参数")
    inner, section, key = found.groups()
    name = asked.expand(key)
    if name == key and not re.match(r"(?:https?://|urn:)", name):
        raise asked.fault(
            "its prefix is not declared: write the whole address, or declare it in GS1-Extensions or @context",
            "前缀未声明：请写完整地址，或在 GS1-Extensions 或 @context 中声明",
        )
    if inner and name.startswith(VOCABULARY):
        raise asked.fault("fields inside ours are asked for at /v1", "本服务自有字段的内部请经 /v1 查询")
    place = _SECTIONS.get(section, "ext")
    return short(f"{'inner.' if inner else ''}{place}:{name}")


_COMPARISON = "(EQ|GT|GE|LT|LE)"
_UOM = "_([A-Z0-9]{2,4})"
_FAMILIES: tuple[tuple[re.Pattern[str], Callable[..., Iterable[Condition]]], ...] = (
    (re.compile(rf"{_COMPARISON}_quantity(?:{_UOM})?"), _quantity),
    (re.compile(rf"{_COMPARISON}_(minValue|maxValue|meanValue|sDev|value|percValue){_UOM}"), _measured),
    (re.compile(rf"{_COMPARISON}_percRank"), _rank),
    (re.compile("(GE|LT)_(time|startTime|endTime)"), _sensed_at),
    (re.compile("EQ_(bizTransaction|source|destination)_(.+)", re.DOTALL), _paired),
    (re.compile(r"(EXISTS|EQ|GT|GE|LT|LE)_([^:]+:.+)", re.DOTALL), _field),
)
NAMES = (*sorted(_BY_NAME), *sorted(_FIXED - {"perPage"}))
"""Parameters with one fixed name; the families come on top."""
