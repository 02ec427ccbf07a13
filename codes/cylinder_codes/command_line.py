"""What the four programs (命令行) have in common: a wrong argument is one sentence, and where to read on."""

import argparse
from typing import NoReturn

COULD_NOT = 2
"""Exit code: the arguments were wrong, or what was asked could not be done."""


class OneSentenceParser(argparse.ArgumentParser):
    """Leaves with one sentence about a wrong argument, instead of the usage of every command."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments, and leave."""
        self.exit(COULD_NOT, f"{self.prog}: {message}; see {self.prog} --help\n")
