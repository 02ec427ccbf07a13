"""The words of the Core Business Vocabulary, CBV 2.0 (核心业务词汇): why something happened, and what state it left.

One word has three writings, and in XML a fourth::

    inspecting                                      bare, as EPCIS 2.0 documents write it and as we answer
    cbv:BizStep-inspecting                          shortened by the prefix that GS1's own context declares
    https://ref.gs1.org/cbv/BizStep-inspecting      whole
    urn:epcglobal:cbv:bizstep:inspecting            of EPCIS 1.x: refused in JSON, read where somebody asks with it

A word that is none of these must be an address of its author's own: a bare ``filling`` is nobody's word.
"""

from typing import NamedTuple

CBV_NAMESPACE = "https://ref.gs1.org/cbv/"
GS1_NAMESPACE = "https://gs1.org/voc/"
EPCIS_NAMESPACE = "https://ref.gs1.org/epcis/"
PREFIXES = {
    "cbv": CBV_NAMESPACE,
    "gs1": GS1_NAMESPACE,
    "epcis": EPCIS_NAMESPACE,
    "cbvmda": "urn:epcglobal:cbv:mda:",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
}
"""What GS1's context of EPCIS 2.0 declares for everybody."""


class Vocabulary(NamedTuple):
    """The bare words of one kind, and what stands before a word in its other writings."""

    words: frozenset[str]
    curie: str
    """``cbv:BizStep-``."""
    uri: str
    """``https://ref.gs1.org/cbv/BizStep-``."""
    urn: str | None
    """``urn:epcglobal:cbv:bizstep:``; None for what EPCIS 1.x did not have."""

    def word(self, text: str) -> str | None:
        """The bare word that `text` writes in any way; None where it is not one of ours.

        >>> BIZ_STEPS.word("cbv:BizStep-inspecting"), BIZ_STEPS.word("https://example.org/filling")
        ('inspecting', None)
        """
        if text in self.words:
            return text
        for before in (self.uri, self.curie, self.urn):
            if before and text.startswith(before) and text[len(before) :] in self.words:
                return text[len(before) :]
        return None

    def whole(self, text: str) -> str:
        """The address of the word that `text` writes; what is no word of this kind comes back as it is."""
        word = self.word(text)
        return text if word is None else self.uri + word


def _cbv(kind: str, words: str, urn: str | None = None) -> Vocabulary:
    old = f"urn:epcglobal:cbv:{urn}:" if urn else None
    return Vocabulary(frozenset(words.split()), f"cbv:{kind}-", f"{CBV_NAMESPACE}{kind}-", old)


def _gs1(words: str) -> Vocabulary:
    return Vocabulary(frozenset(words.split()), "gs1:", GS1_NAMESPACE, None)


BIZ_STEPS = _cbv(
    "BizStep",
    """
    accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting
    decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting
    installing killing loading other packing picking receiving removing repackaging repairing replacing
    reserving retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing
    transporting unloading unpacking void_shipping
    """,
    "bizstep",
)
"""What was being done (业务步骤): 41 words, and none of them is filling or scrapping."""
DISPOSITIONS = _cbv(
    "Disp",
    """
    active available completeness_inferred completeness_verified conformant container_closed container_open
    damaged destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class
    mismatch_instance mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other
    partially_dispensed recalled reserved retail_sold returned sellable_accessible sellable_not_accessible
    stolen unavailable unknown
    """,
    "disp",
)
"""What state it is in from then on (状态): 33 words."""
BIZ_TRANSACTION_TYPES = _cbv(
    "BTT", "bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt", "btt"
)
"""Kinds of papers (业务单据类型)."""
SOURCE_DEST_TYPES = _cbv("SDT", "location owning_party possessing_party", "sdt")
"""From whom and to whom: place, owner, holder (地点、所有方、持有方)."""
ERROR_REASONS = _cbv("ER", "did_not_occur incorrect_data", "er")
"""Why an earlier event is taken back (更正原因)."""
COMPONENTS = _cbv(
    "Comp",
    """
    altitude axial_distance azimuth easting elevation_angle height latitude longitude northing polar_angle
    spherical_radius x y z
    """,
)
"""Which part of a vector or a position a sensor reports (分量)."""
MEASUREMENT_TYPES = _gs1(
    """
    AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration Altitude AmountOfSubstance
    AmountOfSubstancePerUnitVolume Angle AngularAcceleration AngularMomentum AngularVelocity Area Capacitance
    Conductance Conductivity Count Density Dimensionless DoseEquivalent DoseEquivalentRate DynamicViscosity
    ElectricCharge ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force Frequency
    Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum Luminance LuminousFlux
    LuminousIntensity MagneticFlux MagneticFluxDensity MagneticVectorPotential Mass MassConcentration
    MassFlowRate MassPerAreaTime MemoryCapacity MolalityOfSolute MolarEnergy MolarMass MolarVolume Power
    Pressure RadiantFlux RadiantIntensity Radioactivity RelativeHumidity Resistance Resistivity SolidAngle
    SpecificVolume Speed SurfaceDensity SurfaceTension Temperature Time Torque Voltage Volume VolumeFlowRate
    VolumeFraction VolumetricFlux Wavenumber
    """
)
"""What a sensor measured (测量类型): 72 words."""
ALERT_TYPES = _gs1("ALARM_CONDITION ERROR_CONDITION")
"""What a sensor complains about (报警类型)."""

EVENT_TYPES = frozenset(
    ("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent")
)
"""The five kinds of event (事件类型); any other is an extension and named by an address."""
ACTIONS = frozenset(("ADD", "OBSERVE", "DELETE"))
"""What becomes of a thing or of a bond between things; a TransformationEvent has none (动作)."""
