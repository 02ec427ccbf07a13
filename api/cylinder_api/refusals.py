"""Why the service does not do what a caller asks. Every refusal has a stable code; HTTP gives it a status.

This is not a DENY: "may not be filled" is an answer, with 200. A refusal means that nothing was decided or recorded.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of refusal: its HTTP status, and what it is called."""

    status: int
    title: str


KINDS: dict[str, Kind] = {
    "malformed_request": Kind(400, "The request cannot be read"),
    "link_invalid": Kind(400, "This is not a valid link of a cylinder"),
    "idempotency_key_missing": Kind(400, "A write needs an Idempotency-Key"),
    "unauthenticated": Kind(401, "A valid bearer token is needed"),
    "not_allowed": Kind(403, "This role may not do this"),
    "scope_missing": Kind(403, "The token is too narrow for this"),
    "sign_in_failed": Kind(401, "Signing in failed"),
    "session_needed": Kind(403, "This is for people who signed in"),
    "other_origin": Kind(403, "A session writes only from the service's own pages"),
    "other_district": Kind(403, "This lies in another authority's district"),
    "other_station": Kind(403, "The token belongs to another station"),
    "other_device": Kind(403, "The token belongs to another device"),
    "other_owner": Kind(403, "The cylinder belongs to another company"),
    "other_company": Kind(403, "The customer belongs to another company"),
    "other_holder": Kind(403, "Somebody else has the cylinder"),
    "other_authority": Kind(403, "The mark belongs to another authority"),
    "same_person": Kind(403, "This needs another person"),
    "device_cut_off": Kind(403, "The device was cut off"),
    "enrolment_code_invalid": Kind(403, "The enrolment code is unknown, used or too old"),
    "not_found": Kind(404, "There is nothing here"),
    "link_type_absent": Kind(404, "There is no link of this type"),
    "cylinder_unknown": Kind(404, "No cylinder is on file under this code"),
    "station_unknown": Kind(404, "No station is on file under this id"),
    "customer_unknown": Kind(404, "No customer is on file under this id"),
    "handover_unknown": Kind(404, "No hand-over is on file under this id"),
    "recall_unknown": Kind(404, "No recall is on file under this id"),
    "lot_unknown": Kind(404, "No gas lot is on file under this id"),
    "entry_unknown": Kind(404, "No entry that can be corrected is on file under this id"),
    "request_unknown": Kind(404, "No request for a new tag is on file under this id"),
    "dispute_unknown": Kind(404, "No dispute is on file under this id"),
    "device_unknown": Kind(404, "No device is on file under this id"),
    "client_unknown": Kind(404, "No system is registered under this id"),
    "user_unknown": Kind(404, "No user is on file under this id"),
    "import_unknown": Kind(404, "No import is on file under this id"),
    "webhook_unknown": Kind(404, "No webhook is on file under this id"),
    "message_unknown": Kind(404, "No message is on file under this id"),
    "method_not_allowed": Kind(405, "This method is not offered here"),
    "too_slow": Kind(408, "The body came too slowly"),
    "still_running": Kind(409, "The same request is still being worked on"),
    "code_taken": Kind(409, "The code already leads to another cylinder"),
    "registered_twice": Kind(409, "The same cylinder is on file already"),
    "second_person_needed": Kind(409, "A second person must look first"),
    "webhook_off": Kind(409, "The webhook is switched off"),
    "webhooks_full": Kind(409, "The organisation has as many webhooks as it may"),
    "changed_meanwhile": Kind(412, "It changed since it was read"),
    "reading_over": Kind(409, "This reading is over"),
    "customer_erased": Kind(410, "The customer's personal data were erased"),
    "length_required": Kind(411, "The length of the body must be announced"),
    "too_large": Kind(413, "The body is too large"),
    "not_json": Kind(415, "The body must be JSON"),
    "invalid": Kind(422, "The request does not fit its description"),
    "password_weak": Kind(422, "The password is too weak"),
    "idempotency_key_differs": Kind(422, "The Idempotency-Key is not the id of the act"),
    "id_conflict": Kind(422, "The id is taken by an act that says something else"),
    "code_unreadable": Kind(422, "This is not a cylinder code"),
    "code_not_its_own": Kind(422, "The code does not lead to this cylinder"),
    "serial_differs": Kind(422, "The serial on the steel is not the one on file"),
    "evidence_missing": Kind(422, "The act needs evidence"),
    "head_mark_foreign": Kind(422, "The head bears another company's mark"),
    "cannot_follow": Kind(422, "The act cannot follow on what is recorded"),
    "signature_unverified": Kind(422, "The signature cannot be verified"),
    "occurred_in_future": Kind(422, "The act is dated in the future"),
    "epcis_invalid": Kind(400, "This is not valid EPCIS"),
    "epcis_query_parameter": Kind(400, "A parameter of the query is not known or does not fit"),
    "epcis_query_invalid": Kind(400, "The query cannot be understood"),
    "epcis_subscription": Kind(400, "The controls of the subscription do not fit"),
    "epcis_ours": Kind(403, "Only the ledger states this"),
    "epcis_unknown": Kind(404, "There is no such EPCIS resource"),
    "epcis_name_unknown": Kind(404, "There is no query of this name"),
    "epcis_not_acceptable": Kind(406, "The answer cannot be given in this form"),
    "epcis_exists": Kind(409, "The name is taken already"),
    "epcis_too_large": Kind(413, "The document is too large"),
    "epcis_query_too_large": Kind(413, "The answer would be too large"),
    "epcis_query_too_complex": Kind(413, "The query asks for too much at once"),
    "epcis_uri_too_long": Kind(414, "The address is too long"),
    "epcis_media_type": Kind(415, "This is not EPCIS in JSON"),
    "epcis_not_offered": Kind(501, "This part of EPCIS is not offered here"),
    "too_many": Kind(429, "Too many requests"),
    "internal": Kind(500, "The service failed"),
    "rulebook_missing": Kind(503, "No rulebook is in force"),
    "not_published": Kind(503, "Not yet under a published checkpoint"),
    "unavailable": Kind(503, "The ledger cannot answer now"),
}


class Refused(Exception):
    """The service refuses with `code`; `detail` is one sentence for people, without personal data.

    Its Chinese stands in `sentences`, or is given where the sentence comes with one.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        retry_after_s: int | None = None,
        faults: Sequence[tuple[str, str] | tuple[str, str, str]] = (),
        detail_zh: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.detail_zh = detail_zh
        self.retry_after_s = retry_after_s
        """After how many seconds the same request may succeed."""
        self.faults = faults
        """Where several things are wrong: each one's JSON pointer into the request, what is wrong there, and the same
        in Chinese where it comes with it."""

    @property
    def kind(self) -> Kind:
        """Status and title of the refusal."""
        return KINDS[self.code]
