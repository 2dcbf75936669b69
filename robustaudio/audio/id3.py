"""ID3 tags inside a sound file: those whose text is compressed would grow a thousandfold.

libavformat unpacks each of them, in whichever container it stands, and keeps all. Players hardly
ever write them.
"""

import os
import re
from typing import BinaryIO

READ = 2**20  # bytes at a time
SEARCHED = 2**26  # bytes of a file: no server takes more
LONGEST = 32  # bytes of a tag's or a frame's head, with what tells that it is compressed
HEAD = re.compile(rb"ID3[^\xff][^\xff].[\x00-\x7f]{4}", re.DOTALL)
NAMES = rb"T[A-Z0-9]{3}|COMM|USLT|APIC|GEOB|CHAP|PRIV"
FLAGS = re.escape(bytes(byte for byte in range(256) if byte & 0x88))  # 2.3: 0x80, 2.4: 0x08
ZLIB = rb"[\x08\x18\x28\x38\x48\x58\x68\x78]."  # its first two bytes
# also those that begin inside another match: size, flags, size when unpacked, zlib
FRAME = re.compile(
    rb"(?=(?:" + NAMES + rb")(.{4}).[" + FLAGS + rb"](.{4})(" + ZLIB + rb"))", re.DOTALL
)
UNPACKED = 2**16  # bytes of a frame that is worth the question
GROWTH = 2**15  # times as long; libavformat passes over what grows more


def holds_compressed_tag(file: BinaryIO, start: int) -> bool:
    """Whether an ID3 tag stands in a file, `start` or later, and behind it a frame that grows."""
    size = file.seek(0, os.SEEK_END)
    tagged, rest = False, b""
    file.seek(start)
    for _ in range(0, min(size, SEARCHED), READ):
        data = rest + file.read(READ)
        if not tagged and (head := HEAD.search(data)):
            tagged, data = True, data[head.start() :]
        if tagged and any(_grows(frame, size) for frame in FRAME.finditer(data)):
            return True
        rest = data[-LONGEST:]
    return False


def _grows(frame: re.Match[bytes], most: int) -> bool:
    plain = int.from_bytes(frame[1], "big")
    seven_bits = sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(frame[1]))
    unpacked, zlib = (int.from_bytes(part, "big") for part in frame.group(2, 3))
    fits = any(4 < n <= most and unpacked <= GROWTH * (n + 1) for n in (plain, seven_bits))
    return fits and unpacked > UNPACKED and zlib % 31 == 0
