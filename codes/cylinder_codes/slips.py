"""Slips (凭证单): a signed statement in words, and as a picture with its QR symbol above the words.

The words are for people at the door and decide nothing: what counts is in the symbol, under the signature. Worked
example of a line: ``皮重 tare: 16.5 kg``.

Drawing needs the extra ``labels`` (qrcode and Pillow); without it LabelsUnavailable says so.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cylinder_codes.identifiers import format_code_human
from cylinder_codes.statement import Statement
from cylinder_codes.symbols import QUIET_ZONE, LabelsUnavailable, Symbol, qr_symbol
from cylinder_codes.trust import format_instant
from cylinder_codes.typeface import picture_font, require_drawable

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

TITLE = "瓶链 气瓶签名凭证 PingLian signed statement"
_MODULE_PX = 8
_TEXT_PX = 20
_LINE_PX = 30


def lines_of(statement: Statement) -> list[str]:
    """Return the claims, one a line, in Chinese and English, with units; instants in UTC."""
    return [
        f"气瓶码 code: {format_code_human(statement.code)}",
        f"型号 model: {statement.model}",
        f"充装介质 medium: {statement.medium}",
        f"皮重 tare: {kilograms(statement.tare_g)} kg",
        f"最大充装量 maximum fill: {kilograms(statement.max_fill_g)} kg",
        f"下次检验 next inspection: {statement.next_due_month}",
        f"报废年月 end of life: {statement.end_of_life_month}",
        f"产权单位 owner: {statement.owner_id}",
        f"签发时间 issued: {format_instant(statement.issued_at)}",
        f"有效期至 valid until: {format_instant(statement.expires_at)}",
    ]


def past_of(statement: Statement, month: str) -> dict[str, str]:
    """Return what the claims say is past by ``month`` (``YYYY-MM``): claim → sentence in Chinese and English.

    A month named on a cylinder is counted to its end; what the law counts more strictly is the rulebook's business.
    """
    past = {}
    if month > statement.next_due_month:
        past["next_due_month"] = "注意：检验期已过，不得充装。 NOTE: the inspection is overdue, do not fill"
    if month > statement.end_of_life_month:
        past["end_of_life_month"] = "注意：已过报废年月，不得充装。 NOTE: past its end of life, do not fill"
    return past


def kilograms(grams: int) -> str:
    """Return grams as kilograms, exactly: 16500 is ``16.5``, 16005 is ``16.005``."""
    return f"{grams // 1000}.{grams % 1000:03d}".rstrip("0").removesuffix(".")


def slip_png(statement: Statement, text: str) -> bytes:
    """Return the slip as a PNG file: the QR symbol of the statement's ``text``, and its claims below.

    MissingGlyph when the font of labels lacks a character of a claim.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise LabelsUnavailable from error
    lines = [TITLE, *lines_of(statement)]
    for line in lines:
        require_drawable(line)
    symbol = qr_symbol(text)
    width = (symbol.size + 2 * QUIET_ZONE) * _MODULE_PX
    margin = QUIET_ZONE * _MODULE_PX
    rows = list(_broken(lines, width - 2 * margin))
    slip = Image.new("L", (width, width + len(rows) * _LINE_PX + margin), 255)
    slip.paste(_drawn(symbol), (margin, margin))
    _write(ImageDraw.Draw(slip), rows, margin, width)
    return _png(slip)


def _drawn(symbol: Symbol) -> "Image.Image":
    from PIL import Image

    size, side = symbol.size, symbol.size * _MODULE_PX
    small = Image.frombytes("L", (size, size), bytes(0 if dark else 255 for row in symbol.modules for dark in row))
    return small.resize((side, side), Image.Resampling.NEAREST)


def _write(draw: "ImageDraw.ImageDraw", rows: list[str], left: int, top: int) -> None:
    font = picture_font(_TEXT_PX)
    for number, row in enumerate(rows):
        draw.text((left, top + number * _LINE_PX), row, fill=0, font=font)


def _broken(lines: list[str], width_px: int) -> Iterator[str]:
    """The lines, broken behind a hyphen or blank where they are wider than the slip, else at any character."""
    font = picture_font(_TEXT_PX)
    for line in lines:
        row = ""
        for char in line:
            if row and font.getlength(row + char) > width_px:
                end = 1 + max(row.rfind("-"), row.rfind(" ")) or len(row)
                yield row[:end]
                row = row[end:]
            row += char
        yield row


def _png(picture: "Image.Image") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
