"""Decoders that are not ours, and our reader of photos; each gives the texts that it found."""

import io

import cv2
import numpy as np
import zxingcpp
from PIL import Image

from cylinder_codes.photos import PhotoFailure, read_symbols
from damaged_labels.plates import Picture

cv2.setNumThreads(1)


def by_zxing(picture: Picture) -> list[str]:
    """zxing-cpp as it comes, one call."""
    return [symbol.text for symbol in zxingcpp.read_barcodes(picture)]


def by_photo_reader(picture: Picture) -> list[str]:
    """``read_symbols``, which goes on with zxing-cpp where its first look finds nothing."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "BMP")
    found = read_symbols(file.getvalue())
    return [] if isinstance(found, PhotoFailure) else found


def by_opencv(picture: Picture) -> list[str]:
    """OpenCV's QRCodeDetector as it comes, one call."""
    try:
        text = cv2.QRCodeDetector().detectAndDecode(picture)[0]
    except cv2.error:  # it gives up so on some pictures
        return []
    return [text] if text else []


def by_opencv_mirrored(picture: Picture) -> list[str]:
    """The same on the mirrored picture: where OpenCV looks for the version along another row of the symbol."""
    return by_opencv(np.ascontiguousarray(picture.T))


ZXING, OPENCV, OPENCV_TWICE, READ_SYMBOLS = "zxing-cpp", "OpenCV", "OpenCV, mirrored too", "read_symbols"
DECODERS = (ZXING, OPENCV, OPENCV_TWICE, READ_SYMBOLS)


def found_in(picture: Picture) -> dict[str, list[str]]:
    """Return what each decoder finds in the picture."""
    by_one = by_opencv(picture)
    return {
        ZXING: by_zxing(picture),
        OPENCV: by_one,
        OPENCV_TWICE: by_one or by_opencv_mirrored(picture),
        READ_SYMBOLS: by_photo_reader(picture),
    }
