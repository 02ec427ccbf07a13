"""Photos (读照片): the QR and Data Matrix symbols in a picture, and the one cylinder code among them.

A picture comes from anybody's telephone, so it is looked at before it is believed: how many bytes, which format, how
many pixels its head announces. Only then is it decoded. Six formats are opened, PNG, JPEG, WebP, BMP, TIFF and GIF,
of moving ones the first picture; Pillow knows some fifty more, among them EPS, which would start Ghostscript.

What comes back is what a scanner would have typed: the text as encoded, with GS (``\\x1d``) for FNC1, and where the
symbol says that its content is GS1 (``]Q3``, ``]d2``) with this symbology identifier in front. ``read_scan`` does the
rest. Two codes in one picture are refused: which of two cylinders stands before the camera is not ours to choose.

Worked example: a photo of a label gives ``["HTTPS://ID.PINGLIAN.EXAMPLE/C/04HMASW9NF6YZZPW1011YN6955"]``.

Needs the extra ``photos`` (zxing-cpp and Pillow); without it PhotosUnavailable says so.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human
from cylinder_codes.reading import ReadFailure, ReadFailureKind, read_scan

if TYPE_CHECKING:
    import zxingcpp
    from PIL import Image

MAX_BYTES = 50_000_000
"""Larger files are refused unopened."""

MAX_PIXELS = 64_000_000
"""More are refused undecoded: this many take 256 MB in four channels, and no telephone needs as many for a label."""

MAX_SIDE = 65_535
"""Pixels of the longer side; zxing-cpp takes no more."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
_GLANCE_SIDE = 1600
"""Pixels to which a picture is reduced for the slower searches, for Data Matrix and for what is hard to read."""
_SMALL_SIDE = 300
_ORIENTATION = 0x0112


class PhotosUnavailable(RuntimeError):
    """The extra ``photos`` is not installed."""

    def __init__(self) -> None:
        super().__init__("reading pictures needs zxing-cpp and Pillow: install cylinder-codes[photos]")


class PhotoFailureKind(StrEnum):
    """Why a picture gave no code."""

    EMPTY = "empty_file"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    NOT_A_PICTURE = "not_a_picture"
    DAMAGED = "damaged_file"
    NO_SYMBOL = "no_symbol"
    SEVERAL_CODES = "several_codes"


@dataclass(frozen=True, slots=True)
class PhotoFailure:
    """A picture that gave no code: why, in two languages, and what to do."""

    kind: PhotoFailureKind
    text_en: str
    text_zh: str


def read_photo(data: bytes, hosts: Sequence[str] = (DEFAULT_HOST,)) -> Code | ReadFailure | PhotoFailure:
    """Return the one code in the picture, or why there is none; raises only PhotosUnavailable.

    Other symbols beside the code, an advertisement or a payment code, do no harm. A second code does, and so does a
    symbol that would be one with other check digits: it may be the cylinder that was meant.
    """
    texts = read_symbols(data)
    if isinstance(texts, PhotoFailure):
        return texts
    readings = [read_scan(text, hosts) for text in texts]
    codes = list(dict.fromkeys(reading for reading in readings if isinstance(reading, Code)))
    failures = [reading for reading in readings if isinstance(reading, ReadFailure)]
    doubtful = [failure for failure in failures if failure.kind not in _SOMETHING_ELSE]
    if len(codes) > 1:
        return _several_codes(codes)
    if doubtful or not codes:
        return (doubtful or failures)[0]
    return codes[0]


_SOMETHING_ELSE = frozenset({
    ReadFailureKind.EMPTY, ReadFailureKind.TOO_LONG, ReadFailureKind.NOT_A_CODE, ReadFailureKind.WRONG_LENGTH,
    ReadFailureKind.FOREIGN_LINK,
})  # fmt: skip


def read_symbols(data: bytes) -> list[str] | PhotoFailure:
    """Return the texts of the QR and Data Matrix symbols in a picture, each once, at least one; or why there is none.

    Whatever the bytes are, nothing is raised but PhotosUnavailable.
    """
    try:
        import zxingcpp  # noqa: F401 - asked here, so that what is missing is said before anything is opened
        from PIL import Image  # noqa: F401
    except ImportError as error:
        raise PhotosUnavailable from error
    if not data:
        return _EMPTY
    if len(data) > MAX_BYTES:
        return _TOO_MANY_BYTES
    picture = _grey_picture(data)
    if isinstance(picture, PhotoFailure):
        return picture
    return _texts_in(picture) or _NO_SYMBOL


def _grey_picture(data: bytes) -> "Image.Image | PhotoFailure":
    """Decode the picture to grey tones, upright."""
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is refused below, or of odd but harmless files
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE:
                    return _TOO_MANY_PIXELS
                picture.draft("L", picture.size)  # a JPEG need not decode its colours
                return _upright(_grey(picture), picture)
        except UnidentifiedImageError:
            return _NOT_A_PICTURE
        except Image.DecompressionBombError:
            return _TOO_MANY_PIXELS
        except Exception:  # noqa: BLE001 - on damaged files Pillow raises nearly anything, struct.error to KeyError
            return _DAMAGED


def _grey(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _eight_bits(picture)
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, with_alpha).convert("L")
    return picture.convert("L")


def _eight_bits(picture: "Image.Image") -> "Image.Image":
    """Spread what values there are over 256 grey tones; Pillow would cut off all above 255."""
    lowest, highest = picture.convert("F").getextrema()
    if not isinstance(lowest, float) or not isinstance(highest, float) or not highest > lowest:
        return picture.convert("L")
    scale = 255 / (highest - lowest)
    return picture.convert("F").point(lambda value: value * scale - lowest * scale).convert("L")


def _upright(grey: "Image.Image", picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    try:
        orientation = picture.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - a damaged note about the picture does not damage the picture
        return grey
    return grey.transpose(turns[orientation]) if orientation in turns else grey


def _texts_in(picture: "Image.Image") -> list[str]:
    """Look in the whole picture first, and only if nothing is found in versions of it that are easier to read."""
    import zxingcpp

    # "QRCode" would mean Micro QR too, whose few check bits let the noise of a pale photo pass for four digits
    qr_codes = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCodeModel2])
    data_matrices = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.DataMatrix])
    glance = _at_most(picture, _GLANCE_SIDE)
    found = _decoded(picture, qr_codes) + _decoded(glance, data_matrices)
    if not found:
        for easier in _easier(glance):
            found = _decoded(easier, qr_codes) or _decoded(easier, data_matrices)
            if found:
                break
    return list(dict.fromkeys(found))


def _easier(picture: "Image.Image") -> Iterator["Image.Image"]:
    """Give the picture with more contrast, then also smoothed (noise), smaller, sharpened (focus), larger."""
    from PIL import Image, ImageFilter, ImageOps

    contrast = ImageOps.autocontrast(picture, cutoff=2)
    yield contrast
    yield contrast.filter(ImageFilter.GaussianBlur(1.5))
    yield contrast.filter(ImageFilter.GaussianBlur(3))
    yield _at_most(contrast, max(picture.size) // 2)
    yield contrast.filter(ImageFilter.UnsharpMask(radius=4, percent=300, threshold=0))
    if max(picture.size) <= _SMALL_SIDE:
        yield contrast.resize((picture.width * 3, picture.height * 3), Image.Resampling.BICUBIC)


def _at_most(picture: "Image.Image", side: int) -> "Image.Image":
    from PIL import Image

    factor = side / max(picture.size)
    if factor >= 1:
        return picture
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    return picture.resize(size, Image.Resampling.BOX)


def _decoded(picture: "Image.Image", formats: "zxingcpp.BarcodeFormats") -> list[str]:
    import zxingcpp

    # Plain: control characters as they are, not as "<GS>", and no brackets around GS1 identifiers
    symbols = zxingcpp.read_barcodes(picture, formats=formats, text_mode=zxingcpp.TextMode.Plain)
    gs1 = zxingcpp.ContentType.GS1
    return [(each.symbology_identifier if each.content_type == gs1 else "") + each.text for each in symbols]


_EMPTY = PhotoFailure(
    PhotoFailureKind.EMPTY,
    "the file is empty: take the photo again, or name another file",
    "文件是空的，请重新拍照，或选择其他文件",
)
_TOO_MANY_BYTES = PhotoFailure(
    PhotoFailureKind.TOO_MANY_BYTES,
    f"the file has more than {MAX_BYTES // 1_000_000} MB: send a smaller picture, of the label alone",
    f"文件超过 {MAX_BYTES // 1_000_000} MB，请只拍标签，发送较小的图片",
)
_TOO_MANY_PIXELS = PhotoFailure(
    PhotoFailureKind.TOO_MANY_PIXELS,
    f"the picture has more than {MAX_PIXELS // 1_000_000} million pixels, or {MAX_SIDE} along a side: "
    "send a smaller one, of the label alone",
    f"图片超过 {MAX_PIXELS // 10_000} 万像素，或一边超过 {MAX_SIDE} 像素，请只拍标签，发送较小的图片",
)
_NOT_A_PICTURE = PhotoFailure(
    PhotoFailureKind.NOT_A_PICTURE,
    f"this is no picture that can be read here: send {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}",
    f"无法识别为图片，请发送 {'、'.join(_FORMATS)} 格式的图片",
)
_DAMAGED = PhotoFailure(
    PhotoFailureKind.DAMAGED,
    "the picture file is damaged or was cut off: send it again, or take the photo again",
    "图片文件损坏或不完整，请重新发送或重新拍照",
)
_NO_SYMBOL = PhotoFailure(
    PhotoFailureKind.NO_SYMBOL,
    "no symbol found in the picture: go closer, give more light, wipe the label, or type the text under the symbol",
    "图片中没有找到二维码，请靠近拍摄、补光、擦净标签，或输入码下方的文字",
)


def _several_codes(codes: Sequence[Code]) -> PhotoFailure:
    texts = [format_code_human(code) for code in codes[:2]]
    among_en, among_zh = ("among them ", "如 ") if len(codes) > len(texts) else ("", "")
    return PhotoFailure(
        PhotoFailureKind.SEVERAL_CODES,
        f"{len(codes)} different codes are in the picture, {among_en}{' and '.join(texts)}:"
        " take a photo of one cylinder's label",
        f"图片中有 {len(codes)} 个不同的码（{among_zh}{'、'.join(texts)}），请只拍一只气瓶的标签",
    )
