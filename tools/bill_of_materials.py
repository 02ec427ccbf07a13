"""Write the CycloneDX list of what ships to dist/pinglian.cdx.json, checked against CycloneDX's own schema."""

import sys
from importlib.metadata import Distribution, version

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from licences import licence_of
from shipped import OURS, ROOT, closure

LIST = ROOT / "dist" / "pinglian.cdx.json"


def main() -> int:
    """Write the list; exit 1 when it does not hold to the schema."""
    text = JsonV1Dot6(bill_of_materials()).output_as_string(indent=2)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault:
        print(f"The list does not hold to CycloneDX 1.6: {fault}", file=sys.stderr)
        return 1
    LIST.parent.mkdir(exist_ok=True)
    LIST.write_text(text + "\n")
    print(f"{LIST.relative_to(ROOT)} lists {len(closure())} distributions.")
    return 0


def bill_of_materials() -> Bom:
    """Return the list: our four as applications and libraries, the rest as libraries, and who needs whom."""
    bom = Bom()
    bom.metadata.component = Component(name="pinglian", version=version("cylinder-api"))
    shipped = closure()
    components = {name: _component(name, found) for name, found in shipped.items()}
    for component in components.values():
        bom.components.add(component)
    for name, found in shipped.items():
        needs = {canonicalize_name(Requirement(text).name) for text in found.requires or []}
        bom.register_dependency(components[name], [components[need] for need in needs & components.keys()])
    bom.register_dependency(bom.metadata.component, [components[name] for name in OURS])
    return bom


def _component(name: str, found: Distribution) -> Component:
    identity = PackageURL("pypi", None, name, found.version)
    licence = LicenseFactory().make_from_string("Apache-2.0" if name in OURS else licence_of(found))
    runs = name in ("cylinder-api", "station-agent")
    return Component(
        name=name,
        version=found.version,
        type=ComponentType.APPLICATION if runs else ComponentType.LIBRARY,
        purl=identity,
        bom_ref=str(identity),
        licenses=[licence],
    )


if __name__ == "__main__":
    sys.exit(main())
