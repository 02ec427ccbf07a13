"""Lists of cylinders (清单) and the search for one (查询): by any name, by the stamp in the steel, by a sale.

Lists come from a read model that follows the log and says how far it has come; nothing that is decided asks it.
"""

import base64
import hashlib
from typing import Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from cylinder_api.acts.common import read_name
from cylinder_api.refusals import Refused
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code, is_cylinder_id
from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.schemes import LEGACY_SCHEMES
from cylinder_trace.cylinder import CylinderState, Status
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.events import FlagKind
from cylinder_trace.store.fleet.folding import marks_of, station_of
from cylinder_trace.store.fleet.pages import Listed, Mark, Wanted, read_page, read_rows
from cylinder_trace.store.fleet.sums import Standing, read_standing
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.values import Id, Text

_MOST_FOUND = 100


class ListQuery(BaseModel):
    """Which cylinders; every condition that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = Field(None, max_length=200, description="Any name: a code in any readable form, or an id.")
    sale: Id | None = Field(None, description="Id of the sale in which it was sold (实名销售).")
    order: Id | None = Field(None, description="Number of the order with which it was sold (订单号).")
    serial: Text | None = Field(None, description="Serial in the steel (钢印编号), beside `maker` or `made`.")
    maker: Text | None = Field(None, description="Maker in the steel (制造单位).")
    made: str | None = Field(None, pattern=r"^\d{4}(-\d{2})?$", description="Year or month of making, YYYY or YYYY-MM.")
    model: Text | None = Field(None, description="Model (型号).")
    owner: Id | None = Field(None, description="Owner of record (产权单位).")
    station: Id | None = Field(None, description="The station that saw it last.")
    district: str | None = Field(None, min_length=1, max_length=40, description="Front of a district's code (辖区).")
    lot: Id | None = Field(None, description="Gas lot of its last fill (气质批次).")
    status: Status | None = Field(None, description="Such as `at_customer` 用户处, `condemned` 待报废.")
    black: bool = Field(False, description="True: black cylinders (黑气瓶) alone.")
    lost: bool = Field(False, description="True: cylinders reported lost (报失) alone.")
    marked: FlagKind | Literal["seized", "recall"] | None = Field(
        None, description="A flag or mark that stands (标记)."
    )
    overdue: bool = Field(False, description="True: its inspection is overdue (超期未检).")
    due_within_days: int | None = Field(None, ge=0, le=4000, description="Inspection falls due within so many days.")
    limit: int = Field(50, ge=1, le=500, description="Cylinders on a page, at most.")
    cursor: str | None = Field(None, max_length=400, description="`next` of the page before.")


class ListedCylinder(BaseModel):
    """A cylinder in a list."""

    cylinder_id: str
    code: str | None
    """The newest of its codes that are printed on labels."""
    status: Status
    marks: tuple[str, ...]
    owner_id: str
    custodian_id: str | None
    station_id: str | None
    """The station that saw it last."""
    district: str | None
    maker: str
    serial: str
    model: str
    made: str | None
    last_day: str | None
    """The last day on which it may be filled without another inspection, YYYY-MM-DD."""
    lot_id: str | None
    fills: int
    last_filled_at: int | None


class Complete(BaseModel):
    """How far the lists have followed the log."""

    entries: int
    """They hold the log's entries below this index."""
    age_ms: int
    """For how long an entry has been waiting that they do not hold yet; 0 when they hold all."""
    rulebook: str | None
    """By which rulebook due days are reckoned."""
    remaking: bool
    """Whether rows are just being made anew, because a rulebook came into force or a station moved."""


class CylinderList(BaseModel):
    """A page of a list. It may be short, or empty, and still have a `next`: the list ends where there is none."""

    items: list[ListedCylinder]
    next: str | None
    complete_to: Complete


class Found(NamedTuple):
    """What a search answers."""

    rows: list[Listed]
    next: str | None
    standing: Standing


def search(ledger: Ledger, query: ListQuery, company_id: str | None, now: int, forms: ScanForms) -> Found:
    """A page of the cylinders asked for, of those that belong to `company_id` if given. Raises Refused."""
    names = [name for name in ("code", "sale", "order") if getattr(query, name) is not None]
    if names:
        return _named(ledger, query, names, company_id, forms)
    if query.serial is not None and query.maker is None and query.made is None:
        raise Refused("invalid", "/query/serial: a serial is unique for its maker only; add maker or made")
    fingerprint = _fingerprint(query, company_id)
    behind = _opened(query.cursor, fingerprint) if query.cursor is not None else None
    with ledger.engine.connect() as connection:
        standing = read_standing(connection, ledger.reader)
        page = read_page(connection, _wanted(query, company_id, local_day(now)), behind, query.limit)
    return Found(page.rows, _sealed(page.next, fingerprint), standing)


def _wanted(query: ListQuery, company_id: str | None, today: int) -> Wanted:
    if query.owner is not None and company_id not in (None, query.owner):
        raise Refused("other_owner", "a company lists its own cylinders")
    due_from, due_to = _due_days(query, today)
    return Wanted(
        owner_id=query.owner if company_id is None else company_id,
        station_id=query.station,
        district=query.district,
        maker=query.maker,
        serial=query.serial,
        model=query.model,
        made=query.made,
        status=query.status,
        lot_id=query.lot,
        black=query.black or query.marked == "black",
        lost=query.lost or query.marked == "lost",
        mark=None if query.marked in ("black", "lost") else query.marked,
        due_from=due_from,
        due_to=due_to,
    )


def _due_days(query: ListQuery, today: int) -> tuple[int | None, int | None]:
    if query.overdue and query.due_within_days is not None:
        raise Refused("invalid", "/query/overdue: ask for what is overdue or for what falls due, not for both at once")
    if query.overdue:
        return None, today - 1
    return (None, None) if query.due_within_days is None else (today, today + query.due_within_days)


def _named(ledger: Ledger, query: ListQuery, names: list[str], company_id: str | None, forms: ScanForms) -> Found:
    given = query.model_dump(exclude_defaults=True, exclude={"limit"})
    if len(given) > 1:
        raise Refused("invalid", f"/query/{names[0]}: a name is asked for alone, without other conditions")
    ids = list(dict.fromkeys(_ids_called(ledger, query, forms)))
    with ledger.engine.connect() as connection:
        standing = read_standing(connection, ledger.reader)
        rows = {row.cylinder.cylinder_id: row for row in read_rows(connection, ids)}
    found = [rows[id] if id in rows else _newest(ledger, id) for id in ids]
    seen = [row for row in found if row is not None and company_id in (None, row.cylinder.owner_id)]
    return Found(seen, None, standing)


def _ids_called(ledger: Ledger, query: ListQuery, forms: ScanForms) -> list[str]:
    reader = ledger.reader
    if query.sale is not None:
        sold = reader.entry(query.sale)
        return [_id_in(sold.subject)] if sold is not None and sold.type == "sold" else []
    if query.order is not None:
        sales = reader.by_ref(f"order/{query.order}", "sold", limit=_MOST_FOUND)
        return [_id_in(sale.subject) for sale in sales]
    name = query.code or ""
    if is_cylinder_id(name):
        return [name]
    found = reader.cylinder_id(read_name(name, forms).text)
    return [] if found is None else [found]


def _id_in(subject: str) -> str:
    return subject.partition("/")[2]


def _newest(ledger: Ledger, cylinder_id: str) -> Listed | None:
    """A cylinder so new that the lists do not hold it yet."""
    state = ledger.reader.state(f"cylinder/{cylinder_id}")
    if not isinstance(state, CylinderState):
        return None
    return Listed(state, state.region, station_of(state), None, None, marks_of(state))


def shown(row: Listed) -> ListedCylinder:
    """A row of a list as it is answered."""
    cylinder = row.cylinder
    return ListedCylinder(
        cylinder_id=cylinder.cylinder_id,
        code=newest_code(cylinder),
        status=cylinder.status,
        marks=row.marks,
        owner_id=cylinder.owner_id,
        custodian_id=cylinder.custodian_id,
        station_id=row.station_id,
        district=row.district,
        maker=cylinder.stamp.maker,
        serial=cylinder.stamp.serial,
        model=cylinder.stamp.model,
        made=cylinder.stamp.manufactured_month,
        last_day=None if row.due_day is None else format_day(row.due_day),
        lot_id=row.lot_id,
        fills=cylinder.fills,
        last_filled_at=cylinder.last_filled_at,
    )


def newest_code(cylinder: CylinderState) -> str | None:
    """The newest of the codes that are printed on labels, and not a number from before."""
    return next((code for code in reversed(cylinder.codes) if _is_printed(code)), None)


def _is_printed(code: str) -> bool:
    try:
        return Code(code).scheme not in LEGACY_SCHEMES
    except CodeError:  # a ledger keeps what was bound before a scheme was checked
        return False


def complete(standing: Standing, now: int) -> Complete:
    """How far lists and figures have come, as it is answered."""
    place = standing.place
    return Complete(
        entries=place.size,
        age_ms=standing.age_ms(now),
        rulebook=place.rulebook,
        remaking=place.redo is not None,
    )


def _fingerprint(query: ListQuery, company_id: str | None) -> str:
    asked = query.model_dump(exclude={"cursor", "limit"})
    return hashlib.sha256(orjson.dumps([asked, company_id])).hexdigest()[:16]


def _sealed(mark: Mark | None, fingerprint: str) -> str | None:
    """A cursor that says where the next page begins; it is opaque to callers, and only good for the same question."""
    return None if mark is None else base64.urlsafe_b64encode(orjson.dumps([*mark, fingerprint])).decode().rstrip("=")


def _opened(cursor: str, fingerprint: str) -> Mark:
    try:
        value, cylinder_id, of = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError):
        raise Refused("invalid", "/query/cursor: this is no cursor; send `next` as it was answered") from None
    if of != fingerprint or not isinstance(cylinder_id, str) or not isinstance(value, str | int | None):
        raise Refused("invalid", "/query/cursor: this cursor belongs to another question; ask anew without it")
    return Mark(value, cylinder_id)
