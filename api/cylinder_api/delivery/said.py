"""What the service says of sending, in Chinese too (提示语): why a URL is not taken, what came of an attempt."""

import re
from functools import lru_cache

from cylinder_api.delivery.deliverer import GONE, LONG_FAILED

BY_OWNER = "switched off by its owner"

_ZH = {
    "the URL names no host": "网址中没有主机名",
    "the URL holds a user or a password; the signature says who sends": "网址中带有用户名或密码；由谁发送以签名为准",
    "the URL has a fragment (#), which is never sent; leave it out": "网址带有 # 片段，从不发送；请去掉",
    "the host leads to an address that is not public; receivers are reached over the internet":
        "主机指向非公网地址；接收方须可由互联网到达",
    "the URL must begin with https:// or http://": "网址须以 https:// 或 http:// 开头",
    "the URL must begin with https://": "网址须以 https:// 开头",
    "port {port} belongs to another service; take 443, or one from 1024 on":
        "端口 {port} 属于其他服务；请用 443 或 1024 以上的端口",
    "the URL must be at most {most} printable ASCII characters without blanks; write names in other scripts as xn--…":
        "网址最多 {most} 个可见 ASCII 字符，不含空格；其他文字的域名请写成 xn--… 形式",
    "this is not a URL": "这不是网址",
    "the receiver answered 410: it wants no more messages": "接收方答复 410：不再接收消息",
    "the receiver answered {status}: redirects are not followed; change the webhook's URL":
        "接收方答复 {status}：不跟随重定向；请修改推送地址",
    "the receiver answered {status}": "接收方答复 {status}",
    "no answer came within {seconds} s": "{seconds} 秒内没有答复",
    "the receiver's certificate is not one that this service trusts, or TLS failed":
        "本服务不信任接收方的证书，或 TLS 未能建立",
    "no connection to the receiver: its name leads nowhere, or nobody listens there":
        "连不上接收方：域名无法解析，或无人监听",
    "what came back is not an answer of HTTP": "收到的不是 HTTP 答复",
    "the connection broke before an answer came": "收到答复之前连接中断",
    "the service's master key does not open the webhook's secret": "服务的主密钥打不开此推送地址的密钥",
    "the service failed; its log says how": "服务出错，详见服务日志",
    GONE: "接收方答复 410：不再接收消息",
    LONG_FAILED: "三天内每次投递均失败；接收方的答复见投递列表",
    BY_OWNER: "由所属单位关闭",
}  # fmt: skip
_NAME = re.compile(r"\{(\w+)\}")


def in_chinese(said: str) -> str:
    """The same sentence in Chinese; as it is where it has none."""
    for pattern, zh in _patterns():
        if found := pattern.fullmatch(said):
            return zh.format_map(found.groupdict())
    return said


@lru_cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    longest_first = sorted(_ZH.items(), key=lambda pair: -len(_NAME.sub("", pair[0])))
    return tuple((_pattern(english), zh) for english, zh in longest_first)


def _pattern(english: str) -> re.Pattern[str]:
    words = _NAME.split(english)
    return re.compile("".join(f"(?P<{word}>.+)" if at % 2 else re.escape(word) for at, word in enumerate(words)))
