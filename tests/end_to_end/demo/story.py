"""The demo as a story on the terminal: chapters, what happened in each, and the checks that must hold."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class Story:
    """Tells the run; plain lines when nobody is watching a terminal. Collects the checks by name."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._chapters = 0
        self._began = time.monotonic()
        self.checks: dict[str, bool] = {}

    def chapter(self, zh: str, en: str) -> None:
        """Begin the next chapter."""
        self._chapters += 1
        elapsed = time.monotonic() - self._began
        self._console.print(f"\n[bold]{self._chapters}. {zh}[/bold]  {en}  [dim]{elapsed:.0f} s[/dim]")

    def say(self, text: str) -> None:
        """A line of the story."""
        self._console.print(f"   {text}", markup=False)

    def check(self, name: str, holds: bool, about: str) -> None:
        """Note whether something that must hold does hold; a check once failed stays failed."""
        self.checks[name] = holds and self.checks.get(name, True)
        mark, colour = ("✔", "green") if holds else ("✘", "red")
        self._console.print(f"   [{colour}]{mark}[/{colour}] {name}: ", end="")
        self._console.print(about, markup=False)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show how far a long step is."""
        columns = (TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)

    def end(self, json_line: str) -> None:
        """The last line: one JSON object."""
        self._console.print()
        print(json_line, flush=True)
