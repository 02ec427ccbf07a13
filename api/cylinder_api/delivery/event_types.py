"""What others are told of (事件类型): the word of each event in the ledger, and the type of the message about it.

A type never changes its meaning: a new version of an event has a word, and so a type, of its own.
"""

from collections.abc import Mapping

PREFIX = "org.pinglian."
TEST = f"{PREFIX}webhook.tested.v1"
"""The type of a test message, which is about no event."""
_CYLINDER = """
    filled use_registered registration_cancelled code_bound registration_withdrawn code_voided retag_requested
    retag_approved retag_refused prefill_checked fill_started postfill_checked reweighed ownership_transferred
    handed_over left_station sold safety_checked returned sent_to_inspection inspection_item_recorded valve_changed
    inspected evaluated condemned destroyed flagged flag_cleared seized released reported_lost found recalled
    recall_lifted
""".split()
_STATION = """
    worker_certified scale_verified scale_locked scale_unlocked filling_locked filling_unlocked company_licence_noted
    alarm_raised shift_changed
""".split()
_OTHERS = {
    "cylinder_made": "cylinder.made",
    "cylinder_registered": "cylinder.registered",
    "fill_decided": "fill.decided",
    "station_licensed": "station.licensed",
    "licence_recorded": "company.licence_recorded",
    "gas_lot_received": "lot.received",
    "gas_lot_tested": "lot.tested",
    "gas_lot_released": "lot.released",
    "gas_lot_blocked": "lot.blocked",
    "recall_opened": "recall.opened",
    "recall_closed": "recall.closed",
    "corrected": "entry.corrected",
    "dispute_raised": "dispute.raised",
    "dispute_resolved": "dispute.resolved",
    "device_enrolled": "device.enrolled",
    "device_revoked": "device.revoked",
    "journal_forked": "device.journal_forked",
    "authority_key_trusted": "authority.key_trusted",
    "authority_key_revoked": "authority.key_revoked",
    "rulebook_published": "rulebook.published",
}
TYPES: Mapping[str, str] = {
    word: f"{PREFIX}{name}.v1"
    for word, name in (
        *((word, f"cylinder.{word}") for word in _CYLINDER),
        *((word, f"station.{word}") for word in _STATION),
        *_OTHERS.items(),
    )
}
"""Word of an event → type of the message."""
WORDS: Mapping[str, str] = {type: word for word, type in TYPES.items()}
UNTOLD: Mapping[str, str] = {
    "head_signed": "how a device vouches for its own chain; it tells nothing that happened",
    "certificate_recorded": "about a person",
    "personal_data_read": "about a person",
    "personal_data_erased": "about a person",
    "epcis_captured": "what others captured is told by EPCIS subscriptions",
}
"""Words that no message is about, and why."""
