"""How the station tries again when the service is gone."""

from station_agent.sync import Backoff


def test_pauses_grow_to_a_longest_one_spread_out_and_begin_anew_after_success() -> None:
    backoff = Backoff(first_s=0.5, longest_s=5)
    pauses = [backoff.next_s() for _ in range(50)]
    assert 0.25 <= pauses[0] <= 0.5
    assert all(2.5 <= pause <= 5 for pause in pauses[5:])
    assert len(set(pauses[5:])) > 10
    backoff.reset()
    assert backoff.next_s() <= 0.5
