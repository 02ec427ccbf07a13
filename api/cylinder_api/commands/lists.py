"""``rebuild-lists``: the lists of cylinders and the monthly figures, dropped and made anew from the ledger."""

import argparse

from sqlalchemy.exc import IntegrityError

from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import show
from cylinder_api.folder import open_folder
from cylinder_api.service import system_clock
from cylinder_api.settings import settings_for
from cylinder_trace.commands.pace import Pace
from cylinder_trace.store.fleet.follower import Follower
from cylinder_trace.store.fleet.place import Overtaken
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import publishing_of


def rebuild_lists(options: argparse.Namespace) -> int:
    """On SQLite the service is stopped for it; on PostgreSQL it goes on, and its lists fill up again meanwhile."""
    settings = settings_for(options.data, options.database_url)
    keys = open_folder(settings.data)
    with (
        Ledger(settings.database_url, settings.data, keys.log, system_clock, publishing_of(settings.data)) as ledger,
        Pace() as tell,
    ):
        follower = Follower(ledger.engine, ledger.reader, settings.rulebook_id)
        try:
            entries = follower.catch_up(tell) if options.resume else follower.rebuild(tell)
        except (Overtaken, IntegrityError) as error:
            raise CannotDo("the lists were changed by another process meanwhile; run it again with --resume") from error
        cylinders = follower.count()
    facts = {"data": str(settings.data), "entries": entries, "cylinders": cylinders}
    show(options, facts, f"{cylinders} cylinders 气瓶 in the lists, complete to {entries} entries 条记录")
    return 0
