"""The town's cylinders coming into being: identity, code, past, owner; and the sound fleet of each station."""

from collections.abc import Iterator
from dataclasses import replace

from cylinder_api.town.chronicle import Chronicle, Life
from cylinder_api.town.dice import Dice
from cylinder_api.town.organisations import Organisations
from cylinder_api.town.pasts import Past, any_sound_past, tell_past
from cylinder_api.town.plan import TownPlan
from cylinder_codes.identifiers import CYLINDER_ID_BYTES, PAYLOAD_BYTES, make_code, new_cylinder_id

_BOUGHT_PER_MILLE = 15


class Register:
    """Makes cylinders one by one; each gets a serial number, an inner identity and a code of the town's key."""

    def __init__(self, plan: TownPlan, chronicle: Chronicle) -> None:
        self.plan = plan
        self.dice = Dice(plan.seed, "cylinders")
        self.codes: dict[str, str] = {}
        """Cylinder id → the living code on it, in the order in which the cylinders were made."""
        self._chronicle = chronicle

    def new_code(self) -> str:
        """A code that nothing carries yet."""
        return make_code(self.dice.bytes(PAYLOAD_BYTES), self.plan.tag_key).text

    @property
    def next_serial(self) -> int:
        """The serial number of the cylinder that is made next."""
        return len(self.codes) + 1

    def add(self, past: Past, owner_id: str) -> Life:
        """A cylinder with this past, owned by `owner_id`, told up to the day the ledger went live."""
        life = Life(self._chronicle, new_cylinder_id(self.dice.bytes(CYLINDER_ID_BYTES)), self.new_code())
        self.codes[life.cylinder_id] = life.code
        tell_past(life, past, owner_id)
        return life

    def replace_code(self, life: Life) -> str:
        """Give the cylinder a new living code; answers it."""
        life.code = self.codes[life.cylinder_id] = self.new_code()
        return life.code

    def sound(self, owner_id: str) -> Life:
        """A cylinder that leaves nothing to refuse; a few were bought from another company long ago."""
        past = any_sound_past(self.dice, self.plan, self.next_serial)
        day = self.plan.today - self.dice.between(200, 900)
        if self.dice.per_mille(_BOUGHT_PER_MILLE) and past.registered + 30 < day:
            seller = f"co_{int(owner_id[-2:]) % 7 + 1:02d}"
            past = replace(past, bought=(seller, day))
        return self.add(past, owner_id)


def station_fleets(register: Register, organisations: Organisations, cylinders: int) -> dict[str, list[Life]]:
    """So many sound cylinders, by the station that they come back to; companies get their shares of them."""
    fleets: dict[str, list[Life]] = {station.station_id: [] for station in organisations.stations}
    for station_id, owner_id, count in _quotas(organisations, cylinders):
        fleets[station_id].extend(register.sound(owner_id) for _ in range(count))
    return fleets


def _quotas(organisations: Organisations, cylinders: int) -> Iterator[tuple[str, str, int]]:
    """(station, owner, number of cylinders); what is left over by rounding goes to the last station listed."""
    shares = {company.company_id: company.share for company in organisations.companies}
    given = parts = 0
    for station in organisations.stations:
        parts += shares[station.company_id] * station.fleet_percent
        count = cylinders * parts // 10_000 - given
        given += count
        yield station.station_id, station.company_id, count
