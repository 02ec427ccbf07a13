"""The monthly figures that a regulator asks for (月报): sums that follow the log, and the shares made of them."""

import csv
import io
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from cylinder_api.acts.searching import Complete, complete
from cylinder_trace.dates import local_day, parse_month
from cylinder_trace.store.fleet.sums import Asked, By, read_standing, read_sums
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.values import Id, Month

_NOT_IN_STOCK = ("made", "cancelled", "destroyed", "withdrawn")


class FiguresQuery(BaseModel):
    """Which month, whose, and apart by what."""

    model_config = ConfigDict(extra="forbid")

    month: Month = Field(description="Month at Beijing, YYYY-MM.")
    by: By | None = Field(None, description="One row for each; absent: one row for all.")
    district: str | None = Field(None, min_length=1, max_length=40, description="Front of a district's code (辖区).")
    company: Id | None = None
    station: Id | None = None


class Figures(BaseModel):
    """A month's figures of a district, a company, a station, or all. A share whose whole is nothing is absent."""

    of: str | None
    """District, company or station, as was asked for; absent where none is known."""
    # the stock (存量) at the end of the month, or now
    on_file: int
    filled_in_stock: int
    at_customer: int
    in_inspection: int
    condemned_in_stock: int
    black: int
    lost: int
    overdue: int
    # what happened in the month
    registered: int
    checked: int
    refused: int
    refused_by: dict[str, int]
    """Reason → how often it was among the reasons of a refusal."""
    refusal_rate: float | None
    filled: int
    filled_g: int
    scanned: int
    """Fills whose decision is on file."""
    coverage: float | None
    """Scanned ÷ filled."""
    turned: int
    """Fills of cylinders that were filled before: the gas of the time before is gone."""
    turned_sold: int
    """Those of them whose gas of the time before was sold with a real name."""
    real_name_rate: float | None
    """Sold with a real name ÷ turned."""
    sold: int
    safety_passed: int
    """Sales with a passed check at the user's home."""
    returned: int
    inspected: int
    inspected_passed: int
    inspected_on_time: int
    on_time_rate: float | None
    condemned: int
    destroyed: int
    days_to_destruction: float | None
    """From condemned to destroyed, on average, of those destroyed this month."""
    black_found: int
    lost_reported: int


class MonthlyFigures(BaseModel):
    """The figures of a month."""

    month: str
    items: list[Figures]
    complete_to: Complete


def monthly_figures(ledger: Ledger, query: FiguresQuery, company_id: str | None, now: int) -> MonthlyFigures:
    """Sums of the month that the follower keeps; nothing of the log is read for them."""
    asked = Asked(query.by, query.district, company_id or query.company, query.station)
    with ledger.engine.connect() as connection:
        standing = read_standing(connection, ledger.reader)
        sums = read_sums(connection, standing.place, parse_month(query.month), local_day(now), asked)
    if query.by is None:
        sums = sums or {"": {}}
    items = [_figures(of or None, words) for of, words in sorted(sums.items())]
    return MonthlyFigures(month=query.month, items=items, complete_to=complete(standing, now))


def _figures(of: str | None, words: Mapping[str, int]) -> Figures:
    def count(word: str) -> int:
        return words.get(word, 0)

    stock = {word.partition(".")[2]: value for word, value in words.items() if word.startswith("stock.")}
    refused_by = {word.partition(".")[2]: value for word, value in sorted(words.items()) if word.startswith("refused.")}
    plain = {
        name: count(name)
        for name in Figures.model_fields
        if name not in _MADE_OF and name not in ("of", "refused_by", *_IN_STOCK, "on_file")
    }
    shares = {name: _share(count(part), count(whole)) for name, (part, whole) in _MADE_OF.items()}
    return Figures(
        of=of,
        on_file=sum(value for status, value in stock.items() if status not in _NOT_IN_STOCK),
        refused_by=refused_by,
        **{name: stock.get(status, 0) for name, status in _IN_STOCK.items()},
        **plain,
        **shares,
    )


_IN_STOCK = {
    "filled_in_stock": "filled",
    "at_customer": "at_customer",
    "in_inspection": "in_inspection",
    "condemned_in_stock": "condemned",
}
_MADE_OF = {
    "refusal_rate": ("refused", "checked"),
    "coverage": ("scanned", "filled"),
    "real_name_rate": ("turned_sold", "turned"),
    "on_time_rate": ("inspected_on_time", "inspected"),
    "days_to_destruction": ("destroyed_days", "destroyed_dated"),
}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


_CHINESE = {
    "of": "对象",
    "on_file": "在册气瓶",
    "filled_in_stock": "重瓶库存",
    "at_customer": "用户处",
    "in_inspection": "送检中",
    "condemned_in_stock": "待报废",
    "black": "黑气瓶",
    "lost": "报失",
    "overdue": "超期未检",
    "registered": "新建档",
    "checked": "充装前检查",
    "refused": "拒充",
    "refused_by": "拒充原因",
    "refusal_rate": "拒充率",
    "filled": "充装",
    "filled_g": "充装量(克)",
    "scanned": "有扫码决定的充装",
    "coverage": "扫码率",
    "turned": "再次充装",
    "turned_sold": "其中上次实名售出",
    "real_name_rate": "实名销售率",
    "sold": "实名销售",
    "safety_passed": "随瓶安检合格",
    "returned": "空瓶回收",
    "inspected": "检验",
    "inspected_passed": "检验合格",
    "inspected_on_time": "按期检验",
    "on_time_rate": "按期检验率",
    "condemned": "判废",
    "destroyed": "去功能化",
    "days_to_destruction": "判废到去功能化(天)",
    "black_found": "新列黑气瓶",
    "lost_reported": "新报失",
}


def as_table(figures: MonthlyFigures) -> bytes:
    """The figures as CSV, for a table on the screen: UTF-8 with its mark, Chinese and English in the first row."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["month 月份", *(f"{name} {_CHINESE[name]}" for name in Figures.model_fields)])
    for item in figures.items:
        writer.writerow([figures.month, *map(_cell, item.model_dump().values())])
    return table.getvalue().encode("utf-8-sig")


_FORMULA = ("=", "+", "-", "@", "\t")


def _cell(value: object) -> object:
    if isinstance(value, dict):
        return " ".join(f"{reason}:{count}" for reason, count in value.items())
    # What begins so is taken for a formula by the programs that open such a table.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
