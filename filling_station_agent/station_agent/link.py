"""The link (联网状态): how the station stands to the service, by name, with what to do about it.

Each way in which the network or the service can fail has a name of its own, because each wants another hand: a cable is
pulled by whoever tidied up, a certificate is renewed by whoever runs the service.  What is named here only tells
people; whether a cylinder may be filled is decided from the age of the data, the clock and the journal.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Link(StrEnum):
    """How the station stands to the service."""

    STARTING = "starting"
    ONLINE = "online"
    SLOW = "slow"
    UNREACHABLE = "unreachable"
    """Nobody takes the call: no network, no such host, nothing listens."""
    SILENT = "silent"
    """The call is taken and not answered: a half-open line (半开连接), or a service that stands still."""
    CERTIFICATE = "certificate"
    """Whoever answers does not prove that they are the service."""
    UNTRUSTED = "untrusted"
    """Who answers signs with another key than the ledger that this station was enrolled with."""
    TOKEN_ENDED = "token_ended"  # noqa: S105 - a name
    """The device's token has run out or was withdrawn."""
    CUT_OFF = "cut_off"
    """The device is known and trusted no more."""
    BUSY = "busy"
    """The service asks to be left alone for a while (429, 503)."""
    FAILING = "failing"
    """The service answers that it failed, or not with what was asked for."""
    NOT_TAKEN = "not_taken"
    """The service does not take a record."""
    JOURNAL_CLOSED = "journal_closed"
    """The journal here is not the one that the service knows; nothing may be filled with it."""
    DISK = "disk"
    """The journal or the replica here cannot be read or written."""


class LinkSaid(NamedTuple):
    """A state of the link as the screen shows it: what is the case, and what to do next."""

    zh: str
    en: str
    next_zh: str
    next_en: str


@dataclass(slots=True)
class LinkState:
    """How the station stands to the service, for the screen and for integrators."""

    online: bool = False
    trouble: str = ""
    """The technical sentence, in English; empty while online."""
    unsent: int = 0
    disputed: int = 0
    """Records about which the service knew more than the station (争议)."""
    link: Link = Link.STARTING
    tries_again_in_s: float = 0.0
    """How long the upload pauses now."""

    @property
    def said(self) -> LinkSaid:
        """What the screen says of it."""
        return LINK_SAID[self.link]


LINK_SAID: dict[Link, LinkSaid] = {
    Link.STARTING: LinkSaid("正在连接服务端", "Connecting to the service", "", ""),
    Link.ONLINE: LinkSaid("在线", "Online", "", ""),
    Link.SLOW: LinkSaid(
        "在线,网络很慢,由本站自行判定",
        "Online, but slow: the station decides by itself",
        "可以继续充装;请检查网络",
        "Filling goes on; have the network looked at",
    ),
    Link.UNREACHABLE: LinkSaid(
        "离线:连不上服务端",
        "Offline: the service cannot be reached",
        "可以继续充装,记录留在本机;检查网线、路由器和网络",
        "Filling goes on and records wait here; look at cable, router and network",
    ),
    Link.SILENT: LinkSaid(
        "离线:服务端没有应答",
        "Offline: the service does not answer",
        "可以继续充装,记录留在本机;请重启路由器,仍不行通知运维",
        "Filling goes on and records wait here; restart the router, then call whoever runs the service",
    ),
    Link.CERTIFICATE: LinkSaid(
        "离线:服务端证书不对",
        "Offline: the service's certificate is not right",
        "通知运维核对证书和本机 ca_file;勿绕过",
        "Have the certificate and ca_file looked at by whoever runs the service; do not go round it",
    ),
    Link.UNTRUSTED: LinkSaid(
        "离线:对方签名不是本账本的",
        "Offline: who answers is not this station's ledger",
        "通知站长和监管部门",
        "Call the station manager and the regulator",
    ),
    Link.TOKEN_ENDED: LinkSaid(
        "离线:本机令牌已失效",
        "Offline: this device's token is no longer in force",
        "通知站长:向公司领取新入网码,重新入网",
        "Call the station manager: ask the company for a new one-time code and enrol again",
    ),
    Link.CUT_OFF: LinkSaid(
        "离线:本机已被停用",
        "Offline: this device was cut off",
        "停止充装,通知站长和公司:查明原因后以新入网码登记另一台设备",
        "Stop filling, call the station manager and the company; enrol another device once it is clear why",
    ),
    Link.BUSY: LinkSaid(
        "服务端繁忙,稍候自动重试",
        "The service is busy; tried again by itself",
        "可以继续充装,记录留在本机",
        "Filling goes on and records wait here",
    ),
    Link.FAILING: LinkSaid(
        "离线:服务端出错",
        "Offline: the service has failed",
        "可以继续充装,记录留在本机;通知运维",
        "Filling goes on and records wait here; tell whoever runs the service",
    ),
    Link.NOT_TAKEN: LinkSaid(
        "服务端拒收一条记录",
        "The service does not take a record",
        "通知站长和公司,并导出本机日志:station-agent export",
        "Call the station manager and the company, and export the journal: station-agent export",
    ),
    Link.JOURNAL_CLOSED: LinkSaid(
        "停止充装:本机日志与服务端不符",
        "Stop filling: this journal is not the one the service knows",
        "通知站长、公司和监管部门;保留本机硬盘,以新入网码登记另一台设备",
        "Call the station manager, the company and the regulator; keep this disk, enrol another device",
    ),
    Link.DISK: LinkSaid(
        "本机磁盘无法读写",
        "This machine's disk cannot be read or written",
        "停止充装,通知站长:清理或更换磁盘",
        "Stop filling, call the station manager: free or replace the disk",
    ),
}
