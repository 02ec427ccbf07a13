"""The tables. A table is an envelope: the stored text is the truth, other columns are indexes copied out of it.

`entry`, `entry_ref` and `checkpoint` are append-only, and the database itself refuses to update or delete them.
`subject_now` and `code` are the read model: they can be dropped and rebuilt by replay.
`fleet`, `figure` and `followed` are the lists and monthly figures, which follow the log and are made anew from it.
`person` is the vault: personal data, encrypted.  `account`, `client`, `assertion`, `login`, `device_code`, `journal`
and `kept_answer` belong to the service.  The `epcis_` tables are the EPCIS repository (EPCIS 事件库): our own life
events, which follow the log, beside what others captured.  `webhook` and `delivery` say what is sent to whom; what is
sent is made from the entry each time.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = "10"
"""The newest of ``migrations``, which make and move what this page describes."""
OLDEST_BESIDE = "8"
"""Programs of this schema or a later one can work on the tables as they are now: each step since has only added."""
# SQLite only makes an INTEGER primary key the row id itself; BIGINT would cost a second index.
_LONG = BigInteger().with_variant(Integer, "sqlite")
_ON_SQLITE, _ON_POSTGRESQL = {"home": "sqlite"}, {"home": "postgresql"}
"""Marks what only one of the two homes has."""
_SELDOM = (
    "type NOT IN ('prefill_checked', 'fill_decided', 'fill_started', 'filled', 'postfill_checked', "
    "'left_station', 'handed_over', 'sold', 'safety_checked', 'returned')"
)
"""Types that do not come with every filling; those that do are found by walking the log."""


class EntryRow(SQLModel, table=True):
    """An entry of the ledger. `log_index` is its leaf index in the Merkle tree.

    On PostgreSQL the table is parted by the hash of the subject: there a chain keeps its place unique, and what must be
    unique over all parts stands in `ENTRY_ID`.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("subject", "n"),
        UniqueConstraint("id", info=_ON_SQLITE),
        Index("entry_by_index", "log_index", info=_ON_POSTGRESQL),
        Index("entry_by_type", "type", "log_index", postgresql_where=text(_SELDOM)),
    )

    log_index: int = Field(primary_key=True, sa_type=_LONG)
    id: str
    subject: str
    n: int = Field(sa_type=BigInteger)
    type: str
    occurred_at: int = Field(sa_type=BigInteger)
    recorded_at: int = Field(sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)
    text: bytes = Field(sa_type=LargeBinary)


class EntryRefRow(SQLModel, table=True):
    """An entry touches this subject too (station, worker, owner …)."""

    __tablename__ = "entry_ref"
    __table_args__ = {"sqlite_with_rowid": False}

    ref: str = Field(primary_key=True)
    log_index: int = Field(primary_key=True, sa_type=BigInteger)


class CheckpointRow(SQLModel, table=True):
    """A published checkpoint: the signed note itself."""

    __tablename__ = "checkpoint"

    size: int = Field(primary_key=True, sa_type=_LONG)
    note: str
    published_at: int = Field(sa_type=BigInteger)


class CosignatureRow(SQLModel, table=True):
    """One more signature line below a published checkpoint: a witness's, or a new key's after a rotation."""

    __tablename__ = "cosignature"

    size: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True)
    """Name and key id of whoever signed: one line of each."""
    line: str


class SubjectNowRow(SQLModel, table=True):
    """Where a subject's chain ends and what it adds up to (read model)."""

    __tablename__ = "subject_now"
    # No column that each append changes stands in an index: who asks what changed lately finds it by the entries.
    __table_args__ = (Index("subject_by_kind", "kind", "owner_id"),)

    subject: str = Field(primary_key=True)
    kind: str
    n: int = Field(sa_type=BigInteger)
    head: str
    log_index: int = Field(sa_type=BigInteger)
    """Index of the chain's last entry."""
    owner_id: str | None = None
    state: str


class CodeRow(SQLModel, table=True):
    """A code leads to one cylinder for ever, also when it is dead (read model).

    Only a withdrawn registration gives its codes back: it was a mistake, and its row goes.
    """

    __tablename__ = "code"

    code: str = Field(primary_key=True)
    cylinder_id: str


class PersonRow(SQLModel, table=True):
    """A customer in the vault. Without `wrapped_key` the person is erased."""

    __tablename__ = "person"

    customer_id: str = Field(primary_key=True)
    wrapped_key: bytes | None = Field(default=None, sa_type=LargeBinary)
    sealed: bytes = Field(sa_type=LargeBinary)
    commitment: str
    company_id: str | None = None
    """Who took the data and answers for it (个人信息处理者); absent in rows from before it was kept."""


class AccountRow(SQLModel, table=True):
    """Whom a bearer token or a session speaks for; the secret itself is kept only as its SHA-256."""

    __tablename__ = "account"
    __table_args__ = (Index("account_by_id", "account_id"),)

    token_sha256: str = Field(primary_key=True)
    account_id: str
    role: str
    org_id: str
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    district: str | None = None
    """Where an authority is competent (行政区划代码, a prefix); absent = everywhere."""
    scope: str | None = None
    """What the token may do, words parted by blanks; absent = all that the role may."""
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    """From then on it opens nothing; absent = until it is revoked."""
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    """When a person signed in; absent = no session, but a token."""


class ClientRow(SQLModel, table=True):
    """A system that asks for tokens with a key of its own (OAuth 2.0 client); its devices stand in the ledger."""

    __tablename__ = "client"

    client_id: str = Field(primary_key=True)
    jwk: str
    """The public half of its key, as a JSON Web Key."""
    role: str
    org_id: str
    district: str | None = None
    scope: str | None = None
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)


class AssertionRow(SQLModel, table=True):
    """An assertion that was shown: it opens nothing a second time, here or at another process."""

    __tablename__ = "assertion"

    assertion_sha256: str = Field(primary_key=True)
    expires_at: int = Field(sa_type=BigInteger)


class LoginRow(SQLModel, table=True):
    """A person who signs in with a password and a second factor. Neither is kept in plain."""

    __tablename__ = "login"

    user_id: str = Field(primary_key=True)
    role: str
    org_id: str
    district: str | None = None
    password_hash: str | None = None
    """argon2id; absent until the person has chosen one."""
    totp_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    """The secret of the second factor, sealed with the master key."""
    totp_used: int | None = Field(default=None, sa_type=BigInteger)
    """The newest time step whose number was shown: none is taken twice."""
    invitation_sha256: str | None = None
    invited_until: int | None = Field(default=None, sa_type=BigInteger)
    failures: int = 0
    """Wrong attempts since the last right one."""
    locked_until: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)


class DeviceCodeRow(SQLModel, table=True):
    """A one-time code with which a station's device enrols."""

    __tablename__ = "device_code"

    code_sha256: str = Field(primary_key=True)
    station_id: str
    expires_at: int = Field(sa_type=BigInteger)
    used_at: int | None = Field(default=None, sa_type=BigInteger)


class _Uploaded(SQLModel):
    """A record of a device's own chain as it was uploaded, and the entry it became or links to."""

    device_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    hash: str
    id: str
    status: str
    log_index: int = Field(sa_type=BigInteger)
    text: bytes = Field(sa_type=LargeBinary)


class JournalRow(_Uploaded, table=True):
    """A record of a device's journal."""

    __tablename__ = "journal"


class JournalBranchRow(_Uploaded, table=True):
    """A record of the second branch of a device whose journal forked, under the same number as one in `journal`."""

    __tablename__ = "journal_branch"


class KeptAnswerRow(SQLModel, table=True):
    """What was answered under an idempotency key, where the ledger alone could not say it again byte for byte."""

    __tablename__ = "kept_answer"
    __table_args__ = (Index("kept_answer_by_age", "kept_at"),)

    account_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_sha256: str
    """HMAC over method, address and payload: the key stands for this request and no other."""
    kept_at: int = Field(sa_type=BigInteger)
    status: int
    answer: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Compressed (zlib); absent where it held a secret, which is derived anew and never kept."""


_WORD = String().with_variant(String(collation="C"), "postgresql")
"""Text in the order of its code points, so that what begins alike stands together."""


class FleetRow(SQLModel, table=True):
    """A cylinder as lists show it: its state after the first `followed` entries of the log, and what it is found by."""

    __tablename__ = "fleet"
    __table_args__ = (
        *(Index(f"fleet_by_{name}", column, "cylinder_id") for name, column in (
            ("due", "due_day"), ("owner", "owner_id"), ("station", "station_id"), ("district", "district"),
            ("maker", "maker"), ("serial", "serial"), ("status", "status"), ("lot", "lot_id"),
        )),
        *(Index(f"fleet_{name}", "cylinder_id", sqlite_where=text(on_sqlite), postgresql_where=text(on_postgresql))
          for name, on_sqlite, on_postgresql in (
            ("black", "black = 1", "black"), ("lost", "lost = 1", "lost"), ("marked", "marks <> ''", "marks <> ''"),
        )),
    )  # fmt: skip

    cylinder_id: str = Field(primary_key=True, sa_type=_WORD)
    owner_id: str
    station_id: str | None = None
    """Where it was seen last."""
    district: str | None = Field(default=None, sa_type=_WORD)
    """Its region, else that of its owner's first station (行政区划代码)."""
    maker: str
    serial: str
    model: str
    made: str | None = None
    """Month of making, YYYY-MM."""
    status: str
    due_day: int | None = None
    """The last day (ordinal) on which it may be filled without another inspection; absent when its life has ended."""
    lot_id: str | None = None
    """The gas lot of its last fill."""
    black: bool
    lost: bool
    marks: str
    """Every mark that stands, as ``|black|seized|``; empty without any."""
    state: str
    memo: str
    """What the follower remembers of it beyond the state."""


class FigureRow(SQLModel, table=True):
    """A monthly sum; month 0 is the stock of now."""

    __tablename__ = "figure"

    month: int = Field(primary_key=True, sa_type=Integer)
    """Months since year 0."""
    word: str = Field(primary_key=True, sa_type=_WORD)
    district: str = Field(primary_key=True, sa_type=_WORD)
    company_id: str = Field(primary_key=True)
    station_id: str = Field(primary_key=True)
    value: int = Field(sa_type=BigInteger)


class FollowedRow(SQLModel, table=True):
    """How much of the log `fleet` and `figure` hold, and what their follower needs to go on."""

    __tablename__ = "followed"

    name: str = Field(primary_key=True)
    value: str


class EpcisEventRow(SQLModel, table=True):
    """An EPCIS event (EPCIS 事件): its text as it came, and what it is found by. A row is never changed."""

    __tablename__ = "epcis_event"
    __table_args__ = (
        UniqueConstraint("org_id", "text_sha256"),
        Index("epcis_event_by_id", "event_id"),
        Index("epcis_event_by_event_time", "event_time", "seq"),
        Index("epcis_event_by_record_time", "record_time"),
        *(Index(f"epcis_event_by_{name}", name, "seq") for name in (
            "biz_step", "disposition", "read_point", "biz_location",
        )),
        Index("epcis_event_by_capture", "capture_id", "seq", sqlite_where=text("capture_id IS NOT NULL"),
              postgresql_where=text("capture_id IS NOT NULL")),
    )  # fmt: skip

    seq: int = Field(primary_key=True, sa_type=_LONG, sa_column_kwargs={"autoincrement": False})
    """Rises in the order of the commits, without gaps: who has read up to one number has missed nothing."""
    text_sha256: bytes = Field(sa_type=LargeBinary)
    """Over the context's text, a line break and the event's text: an organisation's same again is stored once."""
    event_id: str
    """The eventID it came with, else its hash id. A declaration of an error bears the id of what it corrects."""
    hash_id: str | None = None
    """The CBV event hash id; absent where it was not reckoned because the event came with an id."""
    record_time: int = Field(sa_type=BigInteger)
    event_time: int = Field(sa_type=BigInteger)
    type: str
    action: str | None = None
    biz_step: str | None = Field(default=None, sa_type=_WORD)
    """A bare word of the CBV, else the expanded URI; so is the disposition."""
    disposition: str | None = Field(default=None, sa_type=_WORD)
    read_point: str | None = Field(default=None, sa_type=_WORD)
    """In canonical link form; so is the business location."""
    biz_location: str | None = Field(default=None, sa_type=_WORD)
    error_time: int | None = Field(default=None, sa_type=BigInteger)
    """The declarationTime of an errorDeclaration."""
    source: str
    """`ledger`: made from an entry of the log; `captured`: sent by `org_id`."""
    capture_id: str | None = None
    log_index: int | None = Field(default=None, sa_type=BigInteger)
    """The entry that it was made from."""
    org_id: str
    """Whoever captured it; empty for a ledger's event: whose it is says the chain of the cylinder."""
    context_id: int = Field(sa_type=BigInteger)
    text: bytes = Field(sa_type=LargeBinary)


class EpcisContextRow(SQLModel, table=True):
    """A JSON-LD context as it came, once for all events under it."""

    __tablename__ = "epcis_context"

    id: int = Field(primary_key=True, sa_type=_LONG, sa_column_kwargs={"autoincrement": False})
    text_sha256: bytes = Field(sa_type=LargeBinary, unique=True)
    text: bytes = Field(sa_type=LargeBinary)


class EpcisTermRow(SQLModel, table=True):
    """An event is found by this value too: an EPC, a business transaction, a source, an extension (检索项)."""

    __tablename__ = "epcis_term"
    __table_args__ = {"sqlite_with_rowid": False}

    name: str = Field(primary_key=True, sa_type=_WORD)
    value: str = Field(primary_key=True, sa_type=_WORD)
    seq: int = Field(primary_key=True, sa_type=BigInteger)


class EpcisCaptureRow(SQLModel, table=True):
    """A capture job (采集任务). It holds the document until every event of it is written."""

    __tablename__ = "epcis_capture"
    __table_args__ = (
        Index("epcis_capture_by_org", "org_id", "created_at", "id"),
        Index("epcis_capture_running", "created_at", sqlite_where=text("finished_at IS NULL"),
              postgresql_where=text("finished_at IS NULL")),
    )  # fmt: skip

    id: str = Field(primary_key=True)
    org_id: str
    account_id: str
    behaviour: str
    """`rollback`: all or nothing; `proceed`: what is good."""
    document_sha256: str
    document: bytes | None = Field(default=None, sa_type=LargeBinary)
    """As it came; absent once the job has ended."""
    created_at: int = Field(sa_type=BigInteger)
    finished_at: int | None = Field(default=None, sa_type=BigInteger)
    events: int = 0
    """In the document."""
    stored: int = 0
    """New rows of this job."""
    errors: str = "[]"
    """What was wrong, as JSON."""


class EpcisQueryRow(SQLModel, table=True):
    """A named query (命名查询) of an organisation."""

    __tablename__ = "epcis_query"

    org_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=_WORD)
    account_id: str
    created_at: int = Field(sa_type=BigInteger)
    query: str
    """As it came."""


class EpcisSubscriptionRow(SQLModel, table=True):
    """A standing named query (订阅) whose answers are sent to somebody."""

    __tablename__ = "epcis_subscription"
    __table_args__ = (Index("epcis_subscription_by_query", "org_id", "query_name"),)

    id: str = Field(primary_key=True)
    org_id: str
    query_name: str
    account_id: str
    role: str
    """With whose rights it is answered."""
    created_at: int = Field(sa_type=BigInteger)
    body: str
    """As it came, without its secret."""
    epc_format: str | None = None
    """In which writing the other side wants identifiers; absent = links."""
    secret_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    """What answers are signed with, sealed with the master key."""
    at_seq: int = Field(sa_type=BigInteger)
    """Events up to this one were taken by the other side, or are from before it asked."""
    due_at: int | None = Field(default=None, sa_type=BigInteger)
    """When the schedule asks next; absent for a stream."""
    tried_at: int | None = Field(default=None, sa_type=BigInteger)
    taken_at: int | None = Field(default=None, sa_type=BigInteger)
    """When the other side last took something."""
    failures: int = 0
    """Attempts since the last that was taken."""
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class WebhookRow(SQLModel, table=True):
    """Where an organisation wants to be told of what happens (推送地址); entries below `next_index` were looked at."""

    __tablename__ = "webhook"

    webhook_id: str = Field(primary_key=True)
    org_id: str
    role: str
    """With whose rights entries are chosen."""
    district: str | None = None
    account_id: str
    """Who made it."""
    url: str
    words: str
    """Words of events, parted by blanks; empty = all that are sent."""
    secret_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    """What messages are signed with, sealed with the master key; absent once the webhook is deleted."""
    old_secret_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    """The secret before it, which signs as well until `old_secret_until`."""
    old_secret_until: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    version: int = 1
    """Rises with every change by people; the deliverer's own columns are those from `next_index` to `off_because`."""
    next_index: int = Field(sa_type=BigInteger)
    """The first entry that was not looked at for it."""
    failures: int = 0
    """Attempts since the last that was accepted."""
    failing_since: int | None = Field(default=None, sa_type=BigInteger)
    rests_until: int | None = Field(default=None, sa_type=BigInteger)
    """Nothing is sent before."""
    off_at: int | None = Field(default=None, sa_type=BigInteger)
    off_because: str | None = None
    deleted_at: int | None = Field(default=None, sa_type=BigInteger)


class DeliveryRow(SQLModel, table=True):
    """A message to a webhook (投递): about an entry, or a test."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("delivery_by_webhook", "webhook_id", "made_at", "message_id"),
        Index("delivery_due", "webhook_id", "due_at", sqlite_where=text("due_at IS NOT NULL"),
              postgresql_where=text("due_at IS NOT NULL")),
        Index("delivery_ended", "ended_at", sqlite_where=text("ended_at IS NOT NULL"),
              postgresql_where=text("ended_at IS NOT NULL")),
    )  # fmt: skip

    message_id: str = Field(primary_key=True)
    """The `webhook-id` that the receiver sees, the same at each attempt."""
    webhook_id: str
    log_index: int | None = Field(default=None, sa_type=BigInteger)
    """The entry it is about; absent for a test."""
    made_at: int = Field(sa_type=BigInteger)
    state: str
    """`waiting`, `delivered` or `failed`."""
    attempts: int = 0
    since: int = Field(sa_type=BigInteger)
    """When it was first to be sent, or sent again by hand: from then on it is tried for so long."""
    due_at: int | None = Field(default=None, sa_type=BigInteger)
    """When it is tried next; absent when it has ended."""
    tried_at: int | None = Field(default=None, sa_type=BigInteger)
    status: int | None = None
    """Of the last answer."""
    said: str | None = None
    """What came of the last attempt."""
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class MetaRow(SQLModel, table=True):
    """What this database is: schema version and the log's origin."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


ENTRY_ID = Table(
    "entry_id",
    MetaData(),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, unique=True),
    Column("subject", String, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)
"""PostgreSQL only: for each entry what the parts of `entry` cannot keep unique, and which part it is in."""
PARTS = 16
"""Into how many parts `entry` goes on PostgreSQL: entry_part_00 to entry_part_15."""

APPEND_ONLY = ("entry", "entry_ref", "checkpoint", "cosignature", "journal", "journal_branch")
