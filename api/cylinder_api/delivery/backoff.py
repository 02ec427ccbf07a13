"""When a message is tried again (重试): soon at first, then ever more seldom, for three days.

Full jitter: each wait is drawn between nothing and a bound that grows, so that the messages of a receiver that was down
do not all come back at one moment.  The draw is handed in.
"""

_SECOND, _HOUR = 1000, 3_600_000
LASTING_MS = 72 * _HOUR
"""A message that failed for so long is given up."""
LONGEST_MS = 8 * _HOUR
"""No wait is longer, whatever the receiver asks for."""
_FIRST_MS = 20 * _SECOND
_LEAST_MS = _SECOND
_GROWTH = 4


def bound_ms(failed: int) -> int:
    """The longest wait after `failed` attempts: 20 s, 80 s, 5 min, 21 min, 85 min, 5.7 h, then 8 h."""
    bound: int = _FIRST_MS * _GROWTH ** min(failed - 1, 20)
    return min(LONGEST_MS, bound)


def wait_ms(failed: int, draw: float, asked_ms: int = 0) -> int:
    """How long to wait after the attempt number `failed` failed.

    `draw`: at random in [0, 1). `asked_ms`: the receiver's Retry-After, which is kept to as far as `LONGEST_MS`.
    """
    return max(_LEAST_MS, int(draw * bound_ms(failed)), min(asked_ms, LONGEST_MS))


def is_given_up(first_due_at: int, now: int) -> bool:
    """Whether a message that failed again at `now` is not tried any more."""
    return now - first_due_at >= LASTING_MS
