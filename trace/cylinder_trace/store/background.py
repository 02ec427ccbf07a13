"""Work beside the requests (后台): a thread of its own that is woken when there may be something to do."""

import threading


class Background:
    """Begun once, woken, and stopped between two pieces of its work; whoever derives from it writes `_run`."""

    def __init__(self, name: str) -> None:
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work in the background."""
        self._thread.start()

    def notify(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Stop between two pieces of work and wait for the end of the thread; also where it never began."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        """Work until `_stop` is set, resting on `_wake`."""
        raise NotImplementedError
