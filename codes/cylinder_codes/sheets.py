"""Sheets of labels (标签页): codes on A4 in a grid, every box led by its control sheet (箱单), as one PDF.

A label holds the symbol with its quiet zone of 4 modules and the text with check characters below it, nothing else.
All symbols of a sheet have one version and one module size, and it is written at the foot of every page, because a
printer set to "fit to page" shrinks it unseen.

Worked example: 3 by 8 labels on A4 are 63.3 by 33.1 mm each. Two lines of text leave 26.3 mm for the symbol. A link of
56 characters at level M has 29 modules, 37 with the quiet zone, so a module may have 0.71 mm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from cylinder_codes.control_sheet import Box, SheetLine, SheetMaking, draw_control_sheet, draw_page_frame
from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.identifiers import Code, format_code_human
from cylinder_codes.pdf import LIGHT, PAGE_HEIGHT_MM, PAGE_WIDTH_MM, POINTS_PER_MM, PdfPages, text_width
from cylinder_codes.schemes import Scheme
from cylinder_codes.symbols import QUIET_ZONE, SMALLEST_MODULE_MM, Symbol, qr_symbol

COMFORTABLE_MODULE_MM = 0.38
"""The smallest module that GS1 asks of a symbol read in ordinary trade."""

_LABEL_MARGIN_MM = 1.5
_SIDE_MM, _TOP_MM = 10.0, 16.0
_SMALLEST_TYPE_PT, _GOOD_TYPE_PT, _LARGEST_TYPE_PT = 4.0, 5.0, 11.0
_TYPE_SHARE_OF_HEIGHT = 0.075
_LINE_PITCH = 1.25
_GROUPS_IN_FIRST_LINE = 4
_LONGEST_SINGLE_LINE = 24


class SheetError(ValueError):
    """The sheet cannot be made as asked; the message is one sentence with what to do."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the labels are on A4, in mm: ``left`` and ``top`` of the first, from one to the next the two pitches."""

    columns: int
    rows: int
    width: float
    height: float
    left: float
    top: float
    pitch_x: float
    pitch_y: float
    die_cut: bool = False
    """Sheets of ready-cut labels get no marks for cutting."""

    @property
    def per_page(self) -> int:
        """Labels on a page."""
        return self.columns * self.rows


def plain_grid(columns: int, rows: int) -> Grid:
    """Divide A4 evenly, 10 mm free at the sides and 16 mm at head and foot; SheetError for a grid too fine."""
    if columns < 1 or rows < 1 or columns > 20 or rows > 30:
        raise SheetError(f"a grid of {columns} by {rows} labels is not from 1x1 to 20x30: take 3x8 for instance")
    width, height = (PAGE_WIDTH_MM - 2 * _SIDE_MM) / columns, (PAGE_HEIGHT_MM - 2 * _TOP_MM) / rows
    return Grid(columns, rows, width, height, _SIDE_MM, _TOP_MM, width, height)


PRESETS = {
    "99.1x67.7": Grid(2, 4, 99.1, 67.7, 4.65, 13.1, 101.6, 67.7, die_cut=True),
    "63.5x38.1": Grid(3, 7, 63.5, 38.1, 7.2, 15.15, 66.05, 38.1, die_cut=True),
    "63.5x33.9": Grid(3, 8, 63.5, 33.9, 7.2, 12.9, 66.05, 33.9, die_cut=True),
    "38.1x21.2": Grid(5, 13, 38.1, 21.2, 4.75, 10.7, 40.6, 21.2, die_cut=True),
}
"""Sheets of ready-cut A4 labels as shops sell them, by width and height of a label in mm."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a symbol and its text stand on every label of a sheet."""

    version: int
    module_mm: float
    type_pt: float
    lines: int

    @property
    def symbol_mm(self) -> float:
        """A side of the symbol with its quiet zone."""
        return (17 + 4 * self.version + 2 * QUIET_ZONE) * self.module_mm

    @property
    def warning(self) -> str | None:
        """One sentence where the module is small, else None."""
        if self.module_mm >= COMFORTABLE_MODULE_MM:
            return None
        return (
            f"a module has {self.module_mm:.2f} mm, less than the {COMFORTABLE_MODULE_MM} mm that scanners read from"
            " a distance (模块偏小): print at 600 dpi or more, or take larger labels"
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A finished sheet: the PDF and what is in it."""

    pdf: bytes
    fit: Fit
    pages: int
    boxes: int


def sheet_pdf(
    lines: Sequence[SheetLine], making: SheetMaking, grid: Grid, *, per_box: int | None = None,
    module_mm: float | None = None, show: Callable[[int], None] = lambda _: None,
) -> Sheet:  # fmt: skip
    """Draw the labels of ``lines`` in order, a control sheet before every box of ``per_box`` codes (None: one box).

    The module is the largest that fits, or exactly ``module_mm``. ``show`` is told how many labels are drawn.
    Raises SheetError when the symbols do not fit or a module would be smaller than 0.25 mm, MissingGlyph for a
    name that cannot be drawn. Pure: the same arguments give the same bytes.
    """
    if not lines:
        raise SheetError("there is no code to print: name a file with codes")
    fit = fit_labels([line.code for line in lines], making, grid, module_mm)
    boxes = boxes_of(lines, per_box or len(lines), grid.per_page)
    pages = PdfPages(f"气瓶码标签 Cylinder code labels: {lines[0].code.text} … {lines[-1].code.text}", making.made_at)
    drawn = 0
    for box in boxes:
        draw_control_sheet(pages, box, making, fit.module_mm, fit.version)
        for page, start in enumerate(range(0, box.count, grid.per_page), start=box.first_page + 1):
            draw_page_frame(pages, box, making, fit.module_mm, page)
            _draw_cutting_marks(pages, grid)
            for place, line in enumerate(islice(box.lines, start, start + grid.per_page)):
                _draw_label(pages, line.code, making, grid, fit, place)
            pages.end_page()
            drawn += min(grid.per_page, box.count - start)
            show(drawn)
    return Sheet(pages.finish(), fit, boxes[-1].last_page, len(boxes))


def boxes_of(lines: Sequence[SheetLine], per_box: int, per_page: int) -> list[Box]:
    """Divide the lines into boxes and number their pages, the control sheet first."""
    parts = [lines[start : start + per_box] for start in range(0, len(lines), per_box)]
    sizes = [1 + -(-len(part) // per_page) for part in parts]
    last_pages = list(accumulate(sizes))
    return [
        Box(part, number, len(parts), last_page - size + 1, last_page, last_pages[-1])
        for number, (part, size, last_page) in enumerate(zip(parts, sizes, last_pages, strict=True), start=1)
    ]


def fit_labels(codes: Sequence[Code], making: SheetMaking, grid: Grid, module_mm: float | None = None) -> Fit:
    """Return the one version, module and type size that suits all codes; SheetError when there is none."""
    version = largest_version(codes, making)
    texts = [text_lines(code) for code in codes]
    width = grid.width - 2 * _LABEL_MARGIN_MM
    type_pt = _type_size([line for text in texts for line in text], width, grid.height)
    lines = max(map(len, texts))
    text_mm = lines * type_pt * _LINE_PITCH / POINTS_PER_MM
    room = min(width, grid.height - 2 * _LABEL_MARGIN_MM - text_mm)
    modules = 17 + 4 * version + 2 * QUIET_ZONE
    largest = int(100 * room / modules) / 100
    chosen = largest if module_mm is None else module_mm
    if chosen > largest or chosen < SMALLEST_MODULE_MM:
        raise SheetError(_does_not_fit(grid, modules, chosen, largest))
    return Fit(version, chosen, type_pt, lines)


def largest_version(codes: Sequence[Code], making: SheetMaking) -> int:
    """Return the QR version that holds the longest link of all codes.

    It depends on a link's length and case alone, so one of each kind is enough.
    """
    links = (format_printed_link(code, making.host) for code in codes)
    kinds = {(len(link), link == link.upper()): link for link in links}
    return max(qr_symbol(link, level=making.level).version for link in kinds.values())


def text_lines(code: Code) -> tuple[str, ...]:
    """Return the text below the symbol, in one line or two.

    Our own code breaks between its random part and the rest; a GS1 code after a space; other long texts in the middle.
    """
    text = format_code_human(code)
    if code.scheme == Scheme.OWN:
        groups = text.split("-")
        return "-".join(groups[:_GROUPS_IN_FIRST_LINE]), "-".join(groups[_GROUPS_IN_FIRST_LINE:])
    if len(text) <= _LONGEST_SINGLE_LINE:
        return (text,)
    middle = len(text) // 2
    spaces = [place for place, char in enumerate(text) if char == " "]
    if not spaces:
        return text[:middle], text[middle:]
    cut = min(spaces, key=lambda place: abs(place - middle))
    return text[:cut], text[cut + 1 :]


def _type_size(lines: list[str], width: float, height: float) -> float:
    """As large as the label's width allows and its height makes sensible, in quarters of a point."""
    widest = max(text_width(line, 10.0) for line in lines)
    by_height = max(_TYPE_SHARE_OF_HEIGHT * height * POINTS_PER_MM, _GOOD_TYPE_PT)
    largest = min(10.0 * width / widest, by_height, _LARGEST_TYPE_PT)
    size = int(4 * largest) / 4
    if size < _SMALLEST_TYPE_PT:
        raise SheetError(
            f"the text of a code would be {largest:.1f} pt high on a label {width:.0f} mm wide"
            " (文字太小): take fewer columns or larger labels"
        )
    return size


def _does_not_fit(grid: Grid, modules: int, chosen: float, largest: float) -> str:
    label = f"on a label of {grid.width:.1f} by {grid.height:.1f} mm a symbol of {modules} modules with its quiet zone"
    mend = (
        "take larger labels, fewer columns or rows, or a lower level (二维码放不下：请换大标签、减少行列或降低纠错级别)"
    )
    if largest < SMALLEST_MODULE_MM:
        return f"{label} leaves {largest:.2f} mm a module, below the {SMALLEST_MODULE_MM} mm that can be read: {mend}"
    if chosen < SMALLEST_MODULE_MM:
        return f"a module of {chosen:.2f} mm is below the {SMALLEST_MODULE_MM} mm that can be read: take a larger one"
    return f"{label} fits up to {largest:.2f} mm a module, not {chosen:.2f}: {mend}"


def _draw_label(pages: PdfPages, code: Code, making: SheetMaking, grid: Grid, fit: Fit, place: int) -> None:
    row, column = divmod(place, grid.columns)
    middle = grid.left + column * grid.pitch_x + grid.width / 2
    pitch = fit.type_pt * _LINE_PITCH / POINTS_PER_MM
    free = grid.height - fit.symbol_mm - fit.lines * pitch
    top = grid.top + row * grid.pitch_y + free / 2
    quiet = QUIET_ZONE * fit.module_mm
    pages.symbol(middle - fit.symbol_mm / 2 + quiet, top + quiet, _symbol(code, making, fit), fit.module_mm)
    for number, line in enumerate(text_lines(code)):
        baseline = top + fit.symbol_mm + number * pitch + 0.8 * fit.type_pt / POINTS_PER_MM
        pages.text(middle, baseline, line, fit.type_pt, align="middle")


def _symbol(code: Code, making: SheetMaking, fit: Fit) -> Symbol:
    return qr_symbol(format_printed_link(code, making.host), level=making.level, version=fit.version)


def _draw_cutting_marks(pages: PdfPages, grid: Grid) -> None:
    """Short lines outside the grid, where a cutter is laid on; none where the labels are cut already."""
    if grid.die_cut:
        return
    right, bottom = grid.left + grid.columns * grid.pitch_x, grid.top + grid.rows * grid.pitch_y
    for column in range(grid.columns + 1):
        x = grid.left + column * grid.pitch_x
        pages.line(x, grid.top - 3, x, grid.top - 1, shade=LIGHT)
        pages.line(x, bottom + 1, x, bottom + 3, shade=LIGHT)
    for row in range(grid.rows + 1):
        y = grid.top + row * grid.pitch_y
        pages.line(grid.left - 3, y, grid.left - 1, y, shade=LIGHT)
        pages.line(right + 1, y, right + 3, y, shade=LIGHT)
