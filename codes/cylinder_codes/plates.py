"""Plates (标牌): how large a label becomes, from how far it is read, and which contrast it needs.

Asked before a thousand plates are burnt. Worked example: a code of ours at level M on modules of 0.5 mm has a symbol
of 29 modules, 14.5 mm, with its quiet zone 18.5 mm, and is read from about 145 mm: ten times the symbol's width,
a rule of thumb for hand-held readers and phones, not a measurement.
"""

from dataclasses import dataclass

from cylinder_codes.identifiers import format_code_human
from cylinder_codes.labels import Label
from cylinder_codes.symbols import QUIET_ZONE, Level

DISTANCE_IN_WIDTHS = 10
"""Reading distance in widths of the symbol; a rule of thumb."""

CONTRAST_GRADE_B, CONTRAST_GRADE_C = 55, 40
"""Symbol contrast of ISO/IEC 15415 in per cent: reflectance of the lightest less that of the darkest place."""

LEAST_LETTER_MM = 1.0
"""Smaller letters are not read with the naked eye."""


@dataclass(frozen=True, slots=True)
class Plate:
    """The state of a label as a thing: counts, millimetres, what is demanded of the plate."""

    code: str
    human_text: str
    link: str
    version: int
    level: Level
    mask: int
    modules: int
    quiet_zone_modules: int
    module_mm: float
    symbol_mm: float
    width_mm: float
    height_mm: float
    letter_mm: float
    reading_distance_mm: int
    contrast_percent_aim: int
    contrast_percent_least: int


def describe(label: Label, module_mm: float) -> Plate:
    """Return what a designed label becomes when its modules are ``module_mm`` wide."""
    return Plate(
        code=label.code.text,
        human_text=format_code_human(label.code),
        link=label.link,
        version=label.symbol.version,
        level=label.symbol.level,
        mask=label.symbol.mask,
        modules=label.symbol.size,
        quiet_zone_modules=QUIET_ZONE,
        module_mm=module_mm,
        symbol_mm=round(label.symbol.size * module_mm, 3),
        width_mm=round(label.width * module_mm, 3),
        height_mm=round(label.height * module_mm, 3),
        letter_mm=round(label.letter_height * module_mm, 3),
        reading_distance_mm=round(label.symbol.size * module_mm * DISTANCE_IN_WIDTHS),
        contrast_percent_aim=CONTRAST_GRADE_B,
        contrast_percent_least=CONTRAST_GRADE_C,
    )


def sentences(plate: Plate) -> list[tuple[str, str]]:
    """Return the state in sentences for people, each in English and in 中文."""
    facts = {"plate": plate, "widths": DISTANCE_IN_WIDTHS, "least": LEAST_LETTER_MM}
    chosen = _SENTENCES if plate.letter_mm >= LEAST_LETTER_MM else (*_SENTENCES, _TOO_SMALL)
    return [(english.format(**facts), chinese.format(**facts)) for english, chinese in chosen]


_SENTENCES = (
    ("Code: {plate.human_text}", "编码：{plate.human_text}"),
    ("Link in the symbol: {plate.link}", "码内网址：{plate.link}"),
    (
        """\
Symbol: QR version {plate.version}, level {plate.level}, mask {plate.mask}, {plate.modules} x {plate.modules} modules \
of {plate.module_mm:g} mm = {plate.symbol_mm:g} mm a side.""",
        """\
二维码：QR 版本 {plate.version}，纠错等级 {plate.level}，掩模 {plate.mask}，{plate.modules} × {plate.modules} 模块，\
每模块 {plate.module_mm:g} mm，边长 {plate.symbol_mm:g} mm。""",
    ),
    (
        """\
Label with the quiet zone of {plate.quiet_zone_modules} modules and the text: \
{plate.width_mm:g} x {plate.height_mm:g} mm. Keep the quiet zone free of edges, screws and print.""",
        """\
含 {plate.quiet_zone_modules} 模块空白区和文字的标签：{plate.width_mm:g} × {plate.height_mm:g} mm。\
空白区内不得有边缘、螺钉或印刷。""",
    ),
    ("Letters below it: {plate.letter_mm:g} mm high.", "下方文字：字高 {plate.letter_mm:g} mm。"),
    (
        """\
Reading distance: about {plate.reading_distance_mm} mm, {widths} times the symbol's width \
(a rule of thumb: try it with your reader).""",
        """\
识读距离：约 {plate.reading_distance_mm} mm，即码宽的 {widths} 倍（经验值，请用实际设备试读）。""",
    ),
    (
        """\
Contrast: dark modules on a light, matt ground; reflectance difference at least {plate.contrast_percent_least} % \
(grade C of ISO/IEC 15415), aim at {plate.contrast_percent_aim} % (grade B). Marks burnt or dotted into metal are \
graded after ISO/IEC 29158.""",
        """\
对比度：浅色哑光底、深色模块；反射率差不低于 {plate.contrast_percent_least} %（ISO/IEC 15415 C 级），\
宜达到 {plate.contrast_percent_aim} %（B 级）。直接打标于金属者按 ISO/IEC 29158 评级。""",
    ),
)
_TOO_SMALL = (
    "The letters are lower than {least:g} mm, too small for the naked eye: take larger modules.",
    "字高低于 {least:g} mm，肉眼难以辨认：请加大模块。",
)
