"""A heartbeat: whom it is for, what it completes, and that nothing of it can be changed."""

from cylinder_codes.keys import SigningKey
from cylinder_trace.heartbeat import Heartbeat, sign_heartbeat

KEY = SigningKey("ledger.example/tests", bytes(range(32)))
BEAT = Heartbeat(station_id="st_01", since=4700, changed=4711, version=4720, as_of=1_795_312_800_000)


def test_the_signed_text_is_the_one_on_the_page() -> None:
    assert BEAT.text() == b"pinglian-heartbeat/1\nst_01\n4700\n4711\n4720\n1795312800000\n"


def test_it_completes_what_reaches_to_its_beginning_and_its_last_change() -> None:
    assert [BEAT.completes(known) for known in (4699, 4700, 4710, 4711, 4730)] == [False, False, False, True, True]
    assert not BEAT.model_copy(update={"changed": 0}).completes(4699)
    assert BEAT.model_copy(update={"changed": 0}).completes(4700)


def test_each_of_its_words_is_signed() -> None:
    signed = sign_heartbeat(BEAT, KEY)
    assert KEY.verifying_key.verify(signed.signature_bytes(), signed.text())
    for change in ({"station_id": "st_02"}, {"since": 1}, {"changed": 0}, {"version": 4721}, {"as_of": 1}):
        other = signed.model_copy(update=change)
        assert not KEY.verifying_key.verify(other.signature_bytes(), other.text())
    assert signed.model_copy(update={"signature": "no base64"}).signature_bytes() == b""
