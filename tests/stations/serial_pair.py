"""A serial cable without hardware: two pseudo-terminals, each passing on what the other is given."""

import os
import pty
import select
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial


@dataclass
class Cable:
    """The names of the two ends, as a program opens them."""

    near: str
    far: str
    _stop: list[Callable[[], object]] = field(default_factory=list)

    def unplug(self) -> None:
        """Both ends are gone, as far as whoever has them open can tell."""
        while self._stop:
            self._stop.pop()()


@contextmanager
def serial_cable() -> Iterator[Cable]:
    """A cable that is plugged in while the block runs."""
    (near, near_end), (far, far_end) = pty.openpty(), pty.openpty()
    for end in (near_end, far_end):
        tty.setraw(end)  # and stays open, so that either program may close its end and come back
    stop_read, stop_write = os.pipe()
    carrying = threading.Thread(target=_carry, args=({near: far, far: near}, stop_read), daemon=True)
    carrying.start()
    cable = Cable(os.ttyname(near_end), os.ttyname(far_end))
    cable._stop.extend(partial(os.close, fd) for fd in (near, near_end, far, far_end, stop_read, stop_write))
    cable._stop.append(carrying.join)
    cable._stop.append(partial(os.write, stop_write, b"."))
    try:
        yield cable
    finally:
        cable.unplug()


def _carry(ends: dict[int, int], stop: int) -> None:
    while True:
        ready, _, _ = select.select([*ends, stop], [], [])
        if stop in ready:
            return
        for fd in ready:
            os.write(ends[fd], os.read(fd, 4096))
