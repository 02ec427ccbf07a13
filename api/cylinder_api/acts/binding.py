"""Giving a cylinder one more code (赋码、绑定): a new label, a chip, a number it has from before."""

from cylinder_api.acts.common import CylinderAct, append_about, find_cylinder, read_issued_code, require_owner
from cylinder_codes.authenticity import TagKey
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.events import CodeBound
from cylinder_trace.store.unit import Receipt, Unit


class Binding(CylinderAct):
    """The cylinder called `code` is found by `new_code` too, from now on."""

    new_code: str
    """In any readable form, or a number from before with its scheme in front: ``province:ZJ330100000017``."""


def bind_code(unit: Unit, act: Binding, company_id: str, by: str, tag_key: TagKey, forms: ScanForms) -> Receipt:
    """Bind the code. Raises Refused, and CodeTaken for a code that leads to a cylinder or is dead."""
    cylinder = find_cylinder(unit, act.code, forms)
    require_owner(unit, act, cylinder, company_id)
    code = read_issued_code(act.new_code, forms, tag_key)
    event = CodeBound(code=code.text, scheme=code.scheme.value)
    return append_about(unit, cylinder, act, event, by=by, refs=(f"company/{company_id}",))
