"""Keyboard layouts (键盘布局): what a computer makes of a scanner that is set to another layout.

A scanner presses keys, it does not send characters. One that is set to the American layout types ``https://`` as
``httpsÖ--`` into a German computer and as ``httpsM!!`` into a French one. Each layout is written as 47 keys, row by
row, without and with Shift; a blank is a dead key or one that differs between systems. Checked against the X keyboard
tables of xkb-data 2.35.

Only what surrounds the code betrays the layout: the colon and the two slashes of a link. German and Swedish type those
alike, but German exchanges Y and Z; so a text is undone for every layout, and what then reads as two codes is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_US = (
    ("`1234567890-=" "qwertyuiop[]" "asdfghjkl;'\\" "zxcvbnm,./"),
    ("~!@#$%^&*()_+" "QWERTYUIOP{}" 'ASDFGHJKL:"|' "ZXCVBNM<>?"),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A keyboard layout: its names, and what its 47 keys type without and with Shift, in the order of ``_US``."""

    name_en: str
    name_zh: str
    plain: str
    shifted: str

    @cached_property
    def _typed(self) -> Mapping[int, str]:
        keys = zip("".join(_US), self.plain + self.shifted, strict=True)
        return {ord(meant): typed for meant, typed in keys if typed != " "}

    @cached_property
    def _meant(self) -> Mapping[int, str]:
        meant = {ord(typed): chr(key) for key, typed in self._typed.items()}
        # Under caps lock some systems also turn é, à and ç into É, À and Ç; the key of the colon has both already
        others = [(key, typed.upper()) for key, typed in self._typed.items() if chr(key) != ";"]
        return {ord(capital): chr(key) for key, capital in others if len(capital) == 1} | meant

    def typed(self, text: str) -> str:
        """Return what this computer shows when an American scanner sends ``text``."""
        return text.translate(self._typed)

    def meant(self, text: str) -> str:
        """Return what an American scanner sent when this computer shows ``text``; as long as ``text``."""
        return text.translate(self._meant)


_FRENCH = (
    ("²&é\"'(-è_çà)=" "azertyuiop $" "qsdfghjklmù*" "wxcvbn,;:!"),
    (" 1234567890°+" "AZERTYUIOP £" "QSDFGHJKLM%µ" "WXCVBN?./§"),
)  # fmt: skip

LAYOUTS = (
    Layout(
        "German", "德语",
        (" 1234567890ß " "qwertzuiopü+" "asdfghjklöä#" "yxcvbnm,.-"),
        ('°!"§$%&/()=? ' "QWERTZUIOPÜ*" "ASDFGHJKLÖÄ'" "YXCVBNM;:_"),
    ),
    Layout(
        "Swiss", "瑞士",
        ("§1234567890' " "qwertzuiopü " "asdfghjklöä$" "yxcvbnm,.-"),
        ('°+"*ç%&/()=? ' "QWERTZUIOPè!" "ASDFGHJKLéà£" "YXCVBNM;:_"),
    ),
    Layout(
        "Hungarian", "匈牙利语",
        ("0123456789öüó" "qwertzuiopőú" "asdfghjkléáű" "yxcvbnm,.-"),
        ("§'\"+!%/=()ÖÜÓ" "QWERTZUIOPŐÚ" "ASDFGHJKLÉÁŰ" "YXCVBNM?:_"),
    ),
    Layout(
        "Swedish and Finnish", "瑞典语、芬兰语",
        ("§1234567890+ " "qwertyuiopå " "asdfghjklöä'" "zxcvbnm,.-"),
        ('½!"#¤%&/()=? ' "QWERTYUIOPÅ " "ASDFGHJKLÖÄ*" "ZXCVBNM;:_"),
    ),
    Layout("French", "法语", *_FRENCH),
    Layout("French with caps lock", "法语（大写锁定）", *reversed(_FRENCH)),  # there it holds Shift for every key
    Layout(
        "Belgian", "比利时",
        ("²&é\"'(§è!çà)-" "azertyuiop $" "qsdfghjklmùµ" "wxcvbn,;:="),
        ("³1234567890°_" "AZERTYUIOP *" "QSDFGHJKLM%£" "WXCVBN?./+"),
    ),
    Layout(
        "British", "英国",
        ("`1234567890-=" "qwertyuiop[]" "asdfghjkl;'#" "zxcvbnm,./"),
        ('¬!"£$%^&*()_+' "QWERTYUIOP{}" "ASDFGHJKL:@~" "ZXCVBNM<>?"),
    ),
    Layout(
        "Spanish", "西班牙语",
        ("º1234567890'¡" "qwertyuiop +" "asdfghjklñ ç" "zxcvbnm,.-"),
        ('ª!"·$%&/()=?¿' "QWERTYUIOP *" "ASDFGHJKLÑ Ç" "ZXCVBNM;:_"),
    ),
    Layout(
        "Italian", "意大利语",
        ("\\1234567890'ì" "qwertyuiopè+" "asdfghjklòàù" "zxcvbnm,.-"),
        ('|!"£$%&/()=?^' "QWERTYUIOPé*" "ASDFGHJKLç°§" "ZXCVBNM;:_"),
    ),
    Layout(
        "Portuguese", "葡萄牙语",
        ("\\1234567890'«" "qwertyuiop+ " "asdfghjklçº " "zxcvbnm,.-"),
        ('|!"#$%&/()=?»' "QWERTYUIOP* " "ASDFGHJKLÇª " "ZXCVBNM;:_"),
    ),
    Layout(
        "Brazilian", "巴西",
        ("'1234567890-=" "qwertyuiop [" "asdfghjklç ]" "zxcvbnm,.;"),
        ('"!@#$% &*()_+' "QWERTYUIOP {" "ASDFGHJKLÇ }" "ZXCVBNM<>:"),
    ),
)  # fmt: skip
"""Every layout that is undone."""
