"""The town's customers: generated people and restaurants, who exist nowhere else.

Why none of it can be anybody's:

- names carry the word 演示 (demonstration) or 示例 (example) and a running number;
- identity numbers have a right check character (GB 11643) but an area code that begins with 99: no division of
  the country has a code that begins with 9 (GB/T 2260), and on a foreigner's residence card a division's code
  follows the first 9;
- telephone numbers begin with 000, which no network can dial: 00 leads abroad, and no country code begins with 0;
- addresses lie in 示例市 (Example City), which does not exist.

The ledger never holds any of it. A sale carries the customer's id and a salted commitment (承诺值)
to the identity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from cylinder_api.town.dice import Dice
from cylinder_api.town.organisations import REGION, DeliveryPoint, District
from cylinder_api.town.plan import Figures
from cylinder_trace.identity import Identity

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_OLDEST, _YOUNGEST = date(1945, 1, 1).toordinal(), date(2004, 12, 31).toordinal()
_STRIDE = 7_654_321
"""Shares no factor with 100 million, so that running numbers become distinct telephone numbers."""

CustomerKind = Literal["household", "restaurant"]


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer (用户); name, id_number, phone and address are the identity that only the vault may hold."""

    customer_id: str
    kind: CustomerKind
    name: str
    id_number: str
    phone: str
    address: str
    district_id: str
    point_id: str

    @property
    def identity(self) -> Identity:
        """What is committed to and kept in the vault."""
        return Identity(name=self.name, id_number=self.id_number, phone=self.phone, address=self.address)


def id_check_character(first_17: str) -> str:
    """The last character of an identity number, from its first 17 digits (GB 11643).

    >>> id_check_character("11010519491231002")
    'X'
    """
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first_17, strict=True))
    return _CHECK_CHARACTERS[total % 11]


def make_customers(
    dice: Dice, figures: Figures, points: Sequence[DeliveryPoint], districts: Sequence[District]
) -> tuple[Customer, ...]:
    """Restaurants (餐馆) first, in the streets; then households (居民), in the areas."""
    streets = [district for district in districts if district.kind == "street"]
    areas = [district for district in districts if district.kind == "area"]
    customers = []
    for index in range(figures.restaurants + figures.households):
        point_id = points[index % len(points)].point_id
        if index < figures.restaurants:
            name = f"示例餐馆{index + 1:04d}号"
            customers.append(_customer(dice, index, "restaurant", name, dice.pick(streets), point_id))
        else:
            name = f"{dice.pick(_SURNAMES)}演示{index - figures.restaurants + 1:05d}"
            customers.append(_customer(dice, index, "household", name, dice.pick(areas), point_id))
    return tuple(customers)


def _customer(dice: Dice, index: int, kind: CustomerKind, name: str, district: District, point_id: str) -> Customer:
    room = f"{dice.between(1, 6)}单元{dice.between(101, 609)}室" if kind == "household" else "沿街铺面"
    return Customer(
        customer_id=f"cus_{index + 1:06d}",
        kind=kind,
        name=name,
        id_number=_id_number(dice, index),
        phone=f"000{(index + 1) * _STRIDE % 100_000_000:08d}",
        address=f"{REGION}{district.name}样板路{index + 1}号{room}",
        district_id=district.district_id,
        point_id=point_id,
    )


def _id_number(dice: Dice, index: int) -> str:
    born = date.fromordinal(dice.between(_OLDEST, _YOUNGEST))
    area, sequence = index % 10_000, index // 10_000 * 10 + dice.below(10)
    first_17 = f"99{area:04d}{born:%Y%m%d}{sequence:03d}"
    return first_17 + id_check_character(first_17)
