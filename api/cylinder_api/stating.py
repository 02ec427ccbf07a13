"""One way through the door for every act about a cylinder: who states it is the caller, nobody else."""

from collections.abc import Callable
from typing import TypeVar

from cylinder_api.access import Account
from cylinder_api.acts.common import CylinderAct, hints_about
from cylinder_api.answers import Recorded
from cylinder_api.service import Service
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.store.unit import Receipt, Unit

Act = TypeVar("Act", bound=CylinderAct)
Work = Callable[[Unit, Act, str, str, ScanForms], Receipt]
"""An act in the name of an organisation, by an account; with the forms in which a cylinder may be called."""


async def state(service: Service, caller: Account, work: Work[Act], act: Act) -> Recorded:
    """Record that the caller states `act`, in the name of their organisation; the answer is its receipt."""
    forms = service.settings.forms
    return await service.record(
        lambda unit: work(unit, act, caller.org_id, caller.account_id, forms), hints_about(act, forms)
    )
