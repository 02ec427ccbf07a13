"""Writes to a ledger from several threads for ever and notes each receipt; made to be killed. See `crash`."""

import itertools
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ledgers.homes import Home, registered, returned

_THREADS = 4


def main(folder: Path, acknowledged: Path) -> None:
    """Append for ever; a receipt is noted only after the ledger answered."""
    with Home(f"sqlite:///{folder}/ledger.db", folder).open() as ledger:
        notes = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        def write(number: int) -> None:
            for turn in itertools.count():
                record = registered(number) if turn == 0 else returned(number, f"r{number}.{turn}")
                receipt = ledger.append([record])[0]
                os.write(notes, f"{receipt.id} {receipt.hash}\n".encode())

        threads = [threading.Thread(target=write, args=(number,)) for number in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
