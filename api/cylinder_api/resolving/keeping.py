"""Pages that were written already (页面缓存): kept by what they are made of, so that nothing stale can be found."""

from collections.abc import Callable

Key = tuple[str, str]
"""The label's path, and the tag of the page: end of the chain, rulebook, day, language, look."""
MOST = 2048
"""Some 7 MB; whoever photographs one label for a million readers needs one."""


class Kept:
    """The pages of one process that were asked for last. For one event loop."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._pages: dict[Key, str] = {}

    def get(self, key: Key, write: Callable[[], str]) -> str:
        """The page of this key; written now if it is not here. The one that nobody asked for longest makes room."""
        page = self._pages.pop(key, None)
        if page is None:
            page = write()
            if len(self._pages) >= self._most:
                del self._pages[next(iter(self._pages))]
        self._pages[key] = page
        return page
