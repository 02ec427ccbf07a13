"""What every route works with: the ledger, the keys, the vault, the feed of changes."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from cylinder_api.acts.dead_codes import DeadCodesKept
from cylinder_api.answers import Recorded
from cylinder_api.delivery.addresses import Guard
from cylinder_api.delivery.cloud_events import Bodies
from cylinder_api.delivery.deliverer import Deliverer
from cylinder_api.delivery.secret_box import SecretBox
from cylinder_api.epcis.subscriptions import Subscriptions
from cylinder_api.folder import FolderError, Keys, open_folder
from cylinder_api.gathering import Delivery, Gathered
from cylinder_api.live import Feed, MemoryPush, Push, RedisPush
from cylinder_api.open_streams import OpenStreams
from cylinder_api.presence import Presence
from cylinder_api.resolving.finding import Finder, Found
from cylinder_api.settings import Settings
from cylinder_trace.store.accounts import FoundAccount, accounts_of
from cylinder_trace.store.epcis.capturing import Captures
from cylinder_trace.store.epcis.following import EpcisFollower
from cylinder_trace.store.fleet.follower import Follower
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import publishing_of
from cylinder_trace.store.question_line import QuestionLine
from cylinder_trace.store.unit import NO_HINTS, Hints, Receipt, Unit
from cylinder_trace.store.vault import Vault, VaultError
from cylinder_trace.store.vault_rotation import require_opens

Answer = TypeVar("Answer")
_dice = random.Random()  # noqa: S311 - spreads out tries; one of our own, because threads draw from it at any time


def system_clock() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Service:
    """An open service. Close it when done."""

    settings: Settings
    keys: Keys
    ledger: Ledger
    vault: Vault
    feed: Feed
    clock: Callable[[], int]
    accounts: Gathered[str, FoundAccount]
    """The account of a secret's SHA-256, as the database has it at this moment."""
    follower: Follower
    """Keeps the lists and monthly figures, beside all else."""
    streams: OpenStreams
    """What is open for longer than a request."""
    dead_codes: DeadCodesKept
    """All dead and black codes in the land, for the words alone."""
    presence: Presence
    """Which devices are connected, to look at."""
    deliverer: Deliverer
    """Brings messages to webhooks, beside all else."""
    labels: Gathered[str, Found]
    """The cylinder to which a code on a label leads, as the database has it at this moment."""
    epcis: EpcisFollower
    """Keeps the ledger's own events in the EPCIS repository, beside all else."""
    captures: Captures
    """Takes what others send in EPCIS, and works it off."""
    subscriptions: Subscriptions
    """Tells others what is new of their EPCIS queries."""
    _delivery: Delivery = field(default_factory=Delivery)

    async def commit(self, work: Callable[[Unit], Answer], hints: Hints = NO_HINTS, *, bulk: int = 0) -> Answer:
        """Run `work` in the next group commit; the answer means durable.

        `hints`: what it will look up; `bulk`: about how many records, of work that gives way to fill checks.
        """
        return await self._delivery.of(self.ledger.submit(work, hints, bulk=bulk))

    async def record(self, work: Callable[[Unit], Receipt], hints: Hints = NO_HINTS) -> Recorded:
        """`commit` work that records one act, and answer with its signed receipt."""
        return Recorded(receipt=self.ledger.sign(await self.commit(work, hints)))

    def close(self) -> None:
        """Finish what was acknowledged and let go of everything."""
        self.presence.stop()
        self.feed.push.stop()
        self.follower.stop()
        self.deliverer.stop()
        self.captures.stop()
        self.subscriptions.stop()
        self.epcis.stop()
        self.dead_codes.stop()
        self.accounts.close()
        self.labels.close()
        self.ledger.close()


def open_service(settings: Settings, clock: Callable[[], int] = system_clock) -> Service:
    """Open the service of a data folder; raises FolderError or StoreError with one clear sentence."""
    keys = open_folder(settings.data)
    ledger = Ledger(settings.database_url, settings.data, keys.log, clock, publishing_of(settings.data))
    push: Push = RedisPush(settings.redis_url) if settings.redis_url else MemoryPush()
    feed = Feed(ledger.reader, push, clock, keys.log)
    try:
        require_opens(ledger.engine, keys.master)
    except VaultError as error:
        ledger.close()
        raise FolderError(
            "the master key does not open this ledger's vault: name the right one with MASTER_KEY_FILE or MASTER_KEY, "
            "or put keys/master.key back"
        ) from error
    follower = Follower(ledger.engine, ledger.reader, settings.rulebook_id)
    ledger.listen(feed.committed)
    ledger.listen(lambda _version, _subjects: follower.notify())
    deliverer = _deliverer_of(ledger, keys, settings, clock)
    ledger.listen(lambda _version, _subjects: deliverer.notify())
    epcis = EpcisFollower(ledger.engine, ledger.reader, clock)
    ledger.listen(lambda _version, _subjects: epcis.notify())
    accounts_line, labels_line = QuestionLine(ledger.engine), QuestionLine(ledger.engine)
    accounts = Gathered(partial(accounts_of, accounts_line), accounts_line.close)
    streams = OpenStreams(ledger.engine, clock)
    dead_codes = DeadCodesKept(ledger.engine, ledger.reader, clock)
    presence = Presence(settings.redis_url, clock, lambda: feed.beat.as_of)
    presence.start()
    vault = Vault(keys.master)
    labels = Gathered(Finder(labels_line, ledger.reader, settings.rulebook_id, clock), labels_line.close)
    return Service(
        settings, keys, ledger, vault, feed, clock, accounts, follower, streams, dead_codes, presence,
        deliverer, labels, epcis, Captures(ledger, clock), _subscriptions_of(ledger, keys, settings, clock),
    )  # fmt: skip


def _subscriptions_of(ledger: Ledger, keys: Keys, settings: Settings, clock: Callable[[], int]) -> Subscriptions:
    guard = Guard(settings.private_receivers)
    box, prefixes = SecretBox(keys.master), settings.company_prefixes
    return Subscriptions(ledger.engine, guard, box, prefixes, clock, _dice.random)


def _deliverer_of(ledger: Ledger, keys: Keys, settings: Settings, clock: Callable[[], int]) -> Deliverer:
    guard, bodies = Guard(settings.private_receivers), Bodies(keys.log.name, settings.public_url)
    return Deliverer(ledger.engine, ledger.reader, guard, SecretBox(keys.master), bodies, clock, _dice.random)


async def service_here(request: Request) -> Service:
    """The service that this app serves."""
    service: Service = request.app.state.service
    return service


ServiceHere = Annotated[Service, Depends(service_here)]
