"""Small files that are what they say they are."""

import struct
import zlib


def png(width: int, height: int) -> bytes:
    """A grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width: int, height: int, **tags: str) -> bytes:
    """The segments of a JPEG that say something of it: EXIF tags (Make, Model,
    DateTimeOriginal, OffsetTimeOriginal) and dimensions. There is no picture."""
    exif = b"Exif\0\0" + _tiff(tags)
    app1 = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    sof0 = b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame
    sos = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x00"
    return b"\xff\xd8" + app1 + sof0 + sos + b"\xff\xd9"


_IFD0 = {"Make": 0x010F, "Model": 0x0110}
_EXIF = {"DateTimeOriginal": 0x9003, "OffsetTimeOriginal": 0x9011}


def _tiff(tags: dict[str, str]) -> bytes:
    """A big-endian TIFF with two directories of ASCII tags."""
    first = sorted((_IFD0[name], value) for name, value in tags.items() if name in _IFD0)
    second = sorted((_EXIF[name], value) for name, value in tags.items() if name in _EXIF)
    start = 8
    second_at = start + 2 + 12 * (len(first) + 1) + 4
    data_at = second_at + 2 + 12 * len(second) + 4
    data = b""

    def entry(tag: int, value: str) -> bytes:
        nonlocal data
        text = value.encode() + b"\0"
        if len(text) <= 4:
            return struct.pack(">HHI", tag, 2, len(text)) + text.ljust(4, b"\0")
        at = data_at + len(data)
        data += text + b"\0" * (len(text) % 2)
        return struct.pack(">HHII", tag, 2, len(text), at)

    entries = [entry(tag, value) for tag, value in first] + [struct.pack(">HHII", 0x8769, 4, 1, second_at)]
    body = struct.pack(">H", len(entries)) + b"".join(entries) + struct.pack(">I", 0)
    entries = [entry(tag, value) for tag, value in second]
    body += struct.pack(">H", len(entries)) + b"".join(entries) + struct.pack(">I", 0)
    return b"MM\x00\x2a" + struct.pack(">I", start) + body + data
