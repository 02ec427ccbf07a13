"""What can be wrong with a scanner (扫码枪故障), and how each is mended, in both languages."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What a scanner may do; the last three are remarks, no faults."""

    NOTHING = "nothing"
    CAPS_LOCK = "caps_lock"
    LOWER_CASE = "lower_case"
    UPPER_CASE = "upper_case"
    NO_SHIFT = "no_shift"
    LAYOUT = "layout"
    FULL_WIDTH = "full_width"
    CHINESE_MARKS = "chinese_marks"
    INPUT_METHOD = "input_method"
    GS_LOST = "gs_lost"
    GS_REPLACED = "gs_replaced"
    NO_SUFFIX = "no_suffix"
    SUFFIX_TAB = "suffix_tab"
    SUFFIX_TWICE = "suffix_twice"
    SUFFIX_TEXT = "suffix_text"
    PREFIX = "prefix"
    DROPPED = "dropped"
    DOUBLED = "doubled"
    READ_TWICE = "read_twice"
    OTHER_SYMBOL = "other_symbol"
    UNKNOWN = "unknown"
    AIM_ON = "aim_on"
    LANE_PREFIX = "lane_prefix"


REMARKS = frozenset({Fault.AIM_ON, Fault.LANE_PREFIX})
"""Readers take these; they are named because somebody may wonder."""


@dataclass(frozen=True, slots=True)
class Words:
    """A fault in words: what arrives, and what to do about it."""

    what_zh: str
    what_en: str
    mend_zh: str
    mend_en: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault found; ``detail`` is the layout, the characters or the text that it concerns."""

    fault: Fault
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Something to mend, not only a remark."""
        return self.fault not in REMARKS

    @property
    def words(self) -> Words:
        """What it is and how to mend it."""
        return WORDS[self.fault]

    @property
    def zh(self) -> str:
        """One sentence, with the detail."""
        return self.words.what_zh + (f"：{self.detail}" if self.detail else "")

    @property
    def en(self) -> str:
        """One sentence, with the detail."""
        return self.words.what_en + (f": {self.detail}" if self.detail else "")


WORDS = {
    Fault.NOTHING: Words(
        "没有读到内容", "nothing arrived",
        "确认光标在输入窗口；再扫一次；仍无则在说明书中启用该码制（QR、DataMatrix）",
        "put the cursor into the window, scan again; else enable this symbology (QR, DataMatrix)",
    ),
    Fault.CAPS_LOCK: Words(
        "大写锁定已打开，大小写颠倒", "caps lock is on: capitals and small letters exchanged",
        "关闭键盘的 Caps Lock，或在扫码枪上设置“忽略大写锁定”",
        "turn Caps Lock off, or set the scanner to override it",
    ),
    Fault.LOWER_CASE: Words(
        "字母全部变成小写", "all letters arrive as small ones",
        "扫码枪设置：大小写转换 → 不转换",
        "scanner setting: case conversion → none",
    ),
    Fault.UPPER_CASE: Words(
        "字母全部变成大写", "all letters arrive as capitals",
        "扫码枪设置：大小写转换 → 不转换",
        "scanner setting: case conversion → none",
    ),
    Fault.NO_SHIFT: Words(
        "上档键（Shift）丢失，: 变成 ;", "shift gets lost, so that : becomes ;",
        "加大扫码枪的键间延时（如 5–10 ms）；远程桌面或虚拟机中尤其需要",
        "longer delay between keys (5–10 ms), above all behind a remote desktop or virtual machine",
    ),
    Fault.LAYOUT: Words(
        "键盘布局不一致，电脑上是", "keyboard layouts disagree; the computer's is",
        "把扫码枪的“键盘国家/布局”设成与电脑相同，或把电脑键盘改为美式英文",
        "set the scanner's keyboard country to the computer's, or the computer to US English",
    ),
    Fault.FULL_WIDTH: Words(
        "输入法处于全角状态", "the input method types full-width characters",
        "按 Shift+空格 切回半角，并切换到英文输入法",
        "press Shift+Space for half width, and switch to the English input method",
    ),
    Fault.CHINESE_MARKS: Words(
        "输入法使用中文标点", "the input method types Chinese punctuation",
        "按 Ctrl+句点 切换英文标点，或切换到英文输入法",
        "press Ctrl+full stop for English punctuation, or switch to the English input method",
    ),
    Fault.INPUT_METHOD: Words(
        "中文输入法把字母拼成了汉字", "an input method turned the letters into hanzi",
        "切换到英文输入法（Shift 或 Ctrl+空格），该电脑建议删除其他输入法",
        "switch to the English input method (Shift or Ctrl+Space), or remove the others here",
    ),
    Fault.GS_LOST: Words(
        "GS1 分隔符（GS）丢失", "the GS1 separator (GS) got lost",
        "扫码枪设置：允许发送控制字符／GS1 分隔符；或改用 USB 串口（COM）模式",
        "scanner setting: send control characters (GS1 separator), or USB COM port mode",
    ),
    Fault.GS_REPLACED: Words(
        "GS1 分隔符（GS）被替换成", "the GS1 separator (GS) was replaced by",
        "扫码枪设置：GS 不替换，按 ASCII 29 发送；常见替代字符读码程序也接受",
        "scanner setting: send GS as ASCII 29, no replacement; usual stand-ins are read as well",
    ),
    Fault.NO_SUFFIX: Words(
        "扫码后没有回车", "no Enter after the scan",
        "扫码枪设置：后缀 → 回车（CR 或 Enter）",
        "scanner setting: suffix → Enter (CR)",
    ),
    Fault.SUFFIX_TAB: Words(
        "扫码后发送的是 Tab，不是回车", "Tab after the scan, not Enter",
        "扫码枪设置：后缀 → 回车（CR 或 Enter）",
        "scanner setting: suffix → Enter (CR)",
    ),
    Fault.SUFFIX_TWICE: Words(
        "扫码后有两个行结束（如 CR LF）", "two line ends after the scan, such as CR LF",
        "扫码枪设置：后缀只留一个回车",
        "scanner setting: one Enter as suffix, not two",
    ),
    Fault.SUFFIX_TEXT: Words(
        "扫码后多出字符", "other characters after the scan",
        "扫码枪设置：清除自定义后缀，只留回车",
        "scanner setting: clear the suffix, leave Enter alone",
    ),
    Fault.PREFIX: Words(
        "扫码前多出字符", "characters before the scan",
        "扫码枪设置：清除前缀；充装站多枪共用时前缀应为 ~ 加枪位号",
        "scanner setting: no prefix; scanners sharing a station's computer have ~ and a lane digit",
    ),
    Fault.DROPPED: Words(
        "丢失字符", "characters are missing",
        "加大键间延时；换 USB 口或数据线；无线枪靠近底座",
        "longer delay between keys; another port or cable; a wireless scanner nearer its base",
    ),
    Fault.DOUBLED: Words(
        "字符重复", "characters come twice",
        "加大键间延时；关闭电脑的键盘连续重复，或调长重复延迟",
        "longer delay between keys; longer repeat delay of the computer's keyboard",
    ),
    Fault.READ_TWICE: Words(
        "一次扫码读了两遍", "one scan was read twice",
        "扫码枪设置：同码重读延时 ≥ 1 s，触发方式 → 按键一次读一次",
        "scanner setting: same-code delay of 1 s or more, one read for each pull of the trigger",
    ),
    Fault.OTHER_SYMBOL: Words(
        "扫到的是另一个码", "this is another symbol of the sheet",
        "遮住相邻的码，按编号再扫一次",
        "cover the neighbours and scan the number asked for",
    ),
    Fault.UNKNOWN: Words(
        "收到的内容无法解释", "what arrived fits no known fault",
        "扫描说明书中的“恢复出厂设置”，再设后缀为回车，然后重测",
        "scan “factory defaults” in the scanner's manual, set Enter as suffix, and try again",
    ),
    Fault.AIM_ON: Words(
        "扫码枪发送 AIM 码制标识", "the scanner sends the AIM symbology identifier",
        "无需处理，读码程序接受",
        "nothing to do, it is read",
    ),
    Fault.LANE_PREFIX: Words(
        "扫码枪发送枪位前缀", "the scanner sends its lane prefix",
        "无需处理，这是充装站的设置",
        "nothing to do, a filling station wants it so",
    ),
}  # fmt: skip
"""Every fault in words."""
