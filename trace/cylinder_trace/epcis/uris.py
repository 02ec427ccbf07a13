"""What is a URI after RFC 3986, and what a date and time with its zone after RFC 3339."""

import re
from ipaddress import IPv6Address

LONGEST_URI = 2000
"""Characters: what is found by an index must fit into one."""
_PCHAR = r"(?:[A-Za-z0-9_.~\-!$&'()*+,;=:@]++|%[0-9A-Fa-f]{2})"
_MORE = r"(?:[A-Za-z0-9_.~\-!$&'()*+,;=:@/?]++|%[0-9A-Fa-f]{2})*+"
_HOST = r"(?:[A-Za-z0-9_.~\-!$&'()*+,;=]++|%[0-9A-Fa-f]{2})*+"
_URI = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.\-]*+:"
    rf"(?://(?:(?:[A-Za-z0-9_.~\-!$&'()*+,;=:]|%[0-9A-Fa-f]{{2}})*@)?(?:\[(?P<v6>[0-9A-Fa-f:.]++)\]|{_HOST})(?::[0-9]*+)?"
    rf"(?:/{_PCHAR}*+)*+"
    rf"|/(?:{_PCHAR}++(?:/{_PCHAR}*+)*+)?|{_PCHAR}++(?:/{_PCHAR}*+)*+|)"
    rf"(?:\?{_MORE})?(?:\#{_MORE})?",
    re.ASCII,
)


def is_uri(text: str) -> bool:
    """Whether `text` is a whole URI.

    >>> is_uri("https://id.gs1.org/8003/09520001123450ZJ33010000017"), is_uri("cbv:BizStep-packing"), is_uri("packing")
    (True, True, False)
    """
    found = _URI.fullmatch(text)
    return found is not None and (found["v6"] is None or _is_v6(found["v6"]))


def _is_v6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
