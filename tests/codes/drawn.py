"""What is drawn is looked at by others: two decoders that are not ours, and a filling of closed lines by parity."""

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

from cylinder_codes.identifiers import Code
from cylinder_codes.labels import label_png

Points = Sequence[tuple[float, float]]


def draw_label(code: Code, **options: Any) -> Image.Image:
    """The label as whoever opens its file sees it."""
    return Image.open(io.BytesIO(label_png(code, **options)))


def read_by_zxing(picture: Image.Image) -> str:
    """The text of the only symbol that zxing-cpp finds."""
    (symbol,) = zxingcpp.read_barcodes(picture.convert("L"))
    text: str = symbol.text
    return text


def read_by_opencv(picture: Image.Image) -> str:
    """The text that OpenCV's QRCodeDetector finds at one of three sizes; empty when it finds none.

    At a single size it misses one perfect picture in fifty, each time another one.
    """
    for width in (picture.width, picture.width * 2 // 3, picture.width * 3 // 2):
        seen = picture.convert("L").resize((width, width * picture.height // picture.width))
        text, _, _ = cv2.QRCodeDetector().detectAndDecode(np.asarray(seen))
        if text:
            return text
    return ""


def filled(lines: Iterable[Points], width: int, height: int) -> Image.Image:
    """Closed lines filled by the even-odd rule: a pixel is dark when its middle is inside. y points downwards."""
    dark: NDArray[np.bool_] = np.zeros((height, width), dtype=bool)
    for points in lines:
        for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
            low, high = sorted((y1, y2))
            for row in range(max(0, math.ceil(low - 0.5)), min(height, math.ceil(high - 0.5))):
                x = x1 + (row + 0.5 - y1) * (x2 - x1) / (y2 - y1)
                dark[row, max(0, math.ceil(x - 0.5)) :] ^= True
    return Image.fromarray(np.where(dark, 0, 255).astype(np.uint8))
