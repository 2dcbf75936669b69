"""Containers of sound: which one a file is, and whether it ends before its own structure does.

A decoder returns what there is. Whether something is missing is said by the container alone: the
sizes of its chunks, boxes, pages or frames. Only numbers that are promises count; a size that is
0, unknown, or that of a stream promises nothing.
"""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

STREAM_SIZE = 0x7F000000  # what writers to a pipe say (sox, ffmpeg, phones), and everything above
HEADER = 44  # bytes of the usual WAV header, which some recorders count as sound
MOST_PAGES = 100_000  # of an Ogg: 120 s have a few hundred
SEARCHED = 65_536  # bytes in which the first frame of an MP3 or AAC stream is looked for

EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675  # Matroska and WebM
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")  # of an extensible WAV
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
AMR_BYTES = (12, 13, 15, 17, 19, 20, 26, 31, 5, 0, 0, 0, 0, 0, 0, 0)  # after a frame's first byte
AMR_WB_BYTES = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0)


class Looks:
    """A file that is looked at so often and no more: each look costs time, however small the file.

    Raises:
        ValueError: at the first look too many; the sentence names the file.
    """

    def __init__(self, file: BinaryIO, most: int, name: str):
        self._file, self._left, self._name = file, most, name

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"{self._name} is in more pieces than a sound has that can be read.")
        return self._file.seek(offset, whence)

    def read(self, size: int) -> bytes:
        return self._file.read(size)


@dataclass(frozen=True)
class Part:
    """Bytes of a file from `start` up to `end`, in the container that ffmpeg calls `container`.

    `instead` are bytes that are read in place of the file's own, and where they begin.
    """

    stream: Looks
    container: str
    start: int
    end: int
    instead: tuple[int, bytes] = (0, b"")

    def read(self, at: int, size: int) -> bytes:
        """Bytes at a position of the part; fewer, or none, behind its end."""
        if at >= len(self):
            return b""
        self.stream.seek(self.start + at)
        data = self.stream.read(max(0, min(size, len(self) - at)))
        begin, new = self.instead
        low, high = max(at, begin), min(at + len(data), begin + len(new))
        if low < high:
            data = data[: low - at] + new[low - begin : high - begin] + data[high - at :]
        return data

    def __len__(self) -> int:
        return self.end - self.start


def parts(stream: Looks) -> list[Part]:
    """What a file holds, ID3 tags at its front skipped: one part, or the links of a chained Ogg.

    An empty list is no sound file that is known here.
    """
    size = stream.seek(0, os.SEEK_END)
    start = _after_id3(Part(stream, "", 0, size), 0)
    rest = Part(stream, "", start, size)
    if (container := _by_magic(rest.read(0, 16))) is not None:
        part = Part(stream, container, start, size)
        if container == "ogg":
            return _links(part)
        return [_with_whole_words(_without_empty_data(part)) if container == "wav" else part]
    for container, step in (("mp3", _mpeg_step), ("aac", _adts_step)):
        if _first_frame(rest, step) is not None:
            return [Part(stream, container, start, size)]
    return []


def missing(part: Part) -> str | None:
    """What of the part is not there, in words that follow "truncated:"; None if all is."""
    return CHECKS[part.container](part) if part.container in CHECKS else None


def _by_magic(head: bytes) -> str | None:
    """ffmpeg's name of the container that begins with these bytes."""
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] in MOV_BOXES:
        return "mov"
    known = {
        b"fLaC": "flac", b"OggS": "ogg", EBML.to_bytes(4, "big"): "matroska", b"#!AMR": "amr",
        ASF_HEADER: "asf", b"caff": "caf", b".snd": "au",
    }  # fmt: skip
    return next((name for magic, name in known.items() if head.startswith(magic)), None)


def _after_id3(part: Part, at: int) -> int:
    """The position behind the ID3v2 tags that begin at `at` (their sizes have 7 bits a byte)."""
    while (head := part.read(at, 10))[:3] == b"ID3" and len(head) == 10:
        size = sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:]))
        at += 10 + size + (10 if head[5] & 0x10 else 0)
    return min(at, len(part))


# --- chunks: WAV, AIFF, AU, CAF ------------------------------------------------------------------


def _wav(part: Part) -> str | None:
    """The data chunk decides; the size of the whole only tells whose mistake a small gap is."""
    order = "big" if part.read(0, 4) == b"RIFX" else "little"
    whole = int.from_bytes(part.read(4, 4), order)
    at, frame, wide = 12, 1, None
    while len(head := part.read(at, 8)) == 8:
        size = int.from_bytes(head[4:], order)
        if head[:4] == b"ds64":
            wide = int.from_bytes(part.read(at + 16, 8), order)
        if head[:4] == b"fmt ":
            frame = max(1, int.from_bytes(part.read(at + 20, 2), order))
        if head[:4] == b"data":
            there = len(part) - at - 8
            if size == 0xFFFFFFFF and wide is not None:  # RF64: no writer of those miscounts
                return _promise(wide, there) if _lacks(wide, there, frame) else None
            return _wav_gap(size, there, whole, frame, len(part))
        at += 8 + size + size % 2
    return "it has no data chunk" if at > len(part) else None


def _without_empty_data(part: Part) -> Part:
    """The WAV up to its data, where these are empty on purpose: whole chunks follow up to the end.

    (Size 0 is also what a recorder leaves that was killed; then sound follows.)
    """
    at, data = 12, None
    while len(head := part.read(at, 8)) == 8 and head[:4].strip().isalnum():
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            if size or data is not None:
                return part
            data = at + 8
        at += 8 + size + size % 2
    if data is None or not data < at == len(part):
        return part
    return replace(part, end=part.start + data)


def _with_whole_words(part: Part) -> Part:
    """The WAV with as many valid bits as its integers have: the rest of them is 0.

    ffmpeg takes the size of a sample from its valid bits, so that 24 bits in words of 32 (usual
    in Windows) or 16 in 24 would be other numbers, or another format.
    """
    at = 12
    while len(head := part.read(at, 8)) == 8 and head[:4] != b"data":
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"fmt " and size >= 40:
            form = part.read(at + 8, 40)
            bits, valid = form[14:16], form[18:20]
            if form[:2] == b"\xfe\xff" and form[24:] == PCM_GUID and valid != bits:
                return replace(part, instead=(at + 26, bits))
        at += 8 + size + size % 2
    return part


def _wav_gap(promised: int, there: int, whole: int, frame: int, size: int) -> str | None:
    """A slip of the writer, or data that are gone.

    Slips: a frame or two; the size of the whole file in place of the data's; a few bytes of data
    too many where the RIFF size says that the file is whole.
    """
    if not _lacks(promised, there, frame):
        return None
    gap = promised - there
    fits = whole <= size or whole >= STREAM_SIZE  # 8 bytes too many are a slip, too
    slip = promised in (size, size - 8) or (fits and gap <= max(HEADER, promised // 100))
    return None if slip else _promise(promised, there)


def _lacks(promised: int, there: int, frame: int) -> bool:
    """Whether more is missing than a frame or two, of a size that is a promise."""
    stream = STREAM_SIZE <= promised <= 0xFFFFFFFF
    return not stream and promised - there > min(2 * frame, HEADER)


def _promise(promised: int, there: int) -> str:
    return f"its header promises {promised} bytes of sound and {max(0, there)} are there"


def _aiff(part: Part) -> str | None:
    at = 12
    while len(head := part.read(at, 8)) == 8:
        size = int.from_bytes(head[4:], "big")
        if head[:4] == b"SSND":
            there = len(part) - at - 8
            return _promise(size, there) if there < size < STREAM_SIZE else None
        at += 8 + size + size % 2
    return "it has no sound chunk" if at > len(part) else None


def _au(part: Part) -> str | None:
    offset, size = struct.unpack(">II", part.read(4, 8).ljust(8, b"\0"))
    there = len(part) - offset
    return _promise(size, there) if there < size < STREAM_SIZE else None


def _caf(part: Part) -> str | None:
    at = 8
    while len(head := part.read(at, 12)) == 12:
        size = int.from_bytes(head[4:], "big", signed=True)
        there = len(part) - at - 12
        if size < 0:  # -1: up to the end of the file
            return None
        if size > there:
            return _promise(size, there)
        at += 12 + size
    return None


# --- boxes and elements: MP4, Matroska, ASF ------------------------------------------------------


def _mov(part: Part) -> str | None:
    at, index = 0, False
    while len(head := part.read(at, 16)) >= 8:
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:], "big")
        if size == 0 or size < 8 or not kind.isascii():  # up to the end; or no box at all
            break
        index |= kind == b"moov"
        if at + size > len(part) and kind in (*MOV_BOXES, b"moof"):
            return f"its {kind.decode()} box has {size} bytes and {len(part) - at} are there"
        at += size
    return None if index else "its index (the moov box) is not there"


def _matroska(part: Part) -> str | None:
    """Every element up to the blocks: of unknown size are only segments and clusters."""
    at = 0
    while at < len(part):
        number, bytes_of_number = _vint(part.read(at, 4), keep_marker=True)
        size, bytes_of_size = _vint(part.read(at + bytes_of_number, 8))
        if not bytes_of_number or not bytes_of_size:
            return None if at + 12 <= len(part) else "its last element is not whole"
        at += bytes_of_number + bytes_of_size
        unknown = size == (1 << 7 * bytes_of_size) - 1
        if not unknown and at + size > len(part):
            return f"an element has {size} bytes and {len(part) - at} are there"
        if number not in (SEGMENT, CLUSTER):
            if unknown:
                return None
            at += size
    return None


def _vint(data: bytes, keep_marker: bool = False) -> tuple[int, int]:
    """An EBML number and its bytes; (0, 0) where there is none."""
    if not data or not data[0] or (length := 9 - data[0].bit_length()) > len(data):
        return 0, 0
    number = int.from_bytes(data[:length], "big")
    return (number if keep_marker else number & ((1 << 7 * length) - 1)), length


def _asf(part: Part) -> str | None:
    """The data object's size, unless the file was broadcast."""
    at, data = 30, int.from_bytes(part.read(16, 8), "little")  # the data follow the header
    while at + 89 <= min(data, len(part)):
        head = part.read(at, 24)
        if head[:16] == ASF_PROPERTIES and part.read(at + 88, 1)[0] & 1:
            return None
        at += max(24, int.from_bytes(head[16:], "little"))
    head = part.read(data, 24)
    if head[:16] != ASF_DATA:
        return "its data are not there"
    promised, there = int.from_bytes(head[16:], "little"), len(part) - data
    return _promise(promised, there) if promised > there else None


# --- pages: Ogg (RFC 3533) -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Page:
    start: int
    end: int
    begins: bool  # a logical stream
    serial: int
    goes_on: bool  # the last packet, on the next page


def _pages(part: Part) -> Iterator[_Page]:
    """Every page; what lies between them (tags, damage) is skipped."""
    at = 0
    while len(head := part.read(at, 27)) >= 4:
        if head[:4] != b"OggS":
            chunk = part.read(at + 1, SEARCHED)
            ahead = chunk.find(b"OggS")
            at += 1 + (ahead if ahead >= 0 else max(1, len(chunk) - 3))
            continue
        lengths = part.read(at + 27, head[26]) if len(head) == 27 else b""
        end = at + 27 + (head[26] if len(head) == 27 else 0) + sum(lengths)
        whole = len(head) == 27 and len(lengths) == head[26]
        serial = int.from_bytes(head[14:18], "little")
        yield _Page(
            at, end if whole else len(part) + 1, len(head) > 5 and bool(head[5] & 2), serial,
            lengths[-1:] == b"\xff",
        )  # fmt: skip
        at = end


def _links(part: Part) -> list[Part]:
    """The links of a chained Ogg: a stream that begins after another's data opens the next."""
    starts, data = [0], False
    for page in islice(_pages(part), MOST_PAGES):
        if page.begins and data:
            starts.append(page.start)
        data = not page.begins
    ends = [*starts[1:], len(part)]
    return [
        Part(part.stream, "ogg", part.start + start, part.start + end)
        for start, end in zip(starts, ends, strict=True)
    ]


def _ogg(part: Part) -> str | None:
    """The last page of each stream: writers of phones never mark the end, but they end a page."""
    last: dict[int, _Page] = {}
    end = 0
    for page in islice(_pages(part), MOST_PAGES):
        last[page.serial], end = page, page.end
    if end > len(part) or b"OggS".startswith(part.read(end, 4) or b"-"):
        return "its last page is not whole"
    if any(page.goes_on for page in last.values()):
        return "its last packet goes on to a page that is not there"
    return None


# --- frames: MP3, AAC, AMR -----------------------------------------------------------------------

Step = Callable[[bytes], tuple[int, int] | None]  # header -> (bytes of the frame, what stays equal)

MPEG_KBPS = {  # (MPEG 1 or not, layer) -> by index
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
MPEG_RATES = (44_100, 48_000, 32_000)


def _mpeg_step(head: bytes) -> tuple[int, int] | None:
    """Length of an MPEG audio frame; version, layer and rate (ISO/IEC 11172-3, 2.4.1.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bit_rate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bit_rate in (0, 15) or rate == 3:
        return None
    kbps = MPEG_KBPS[version == 3, layer if version == 3 or layer == 1 else 2][bit_rate]
    hertz = MPEG_RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12_000 * kbps // hertz + padding) * 4, head[1] & 0x1E
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples * 125 * kbps // hertz + padding, (head[1] & 0x1E) << 8 | head[2] & 0x0C


def _adts_step(head: bytes) -> tuple[int, int] | None:
    """Length of an AAC frame in ADTS; profile and rate (ISO/IEC 13818-7, 6.2)."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return (length, head[2] & 0xFC) if length >= 7 else None


def _first_frame(part: Part, step: Step) -> int | None:
    """Where the first frame begins that another of its kind follows."""
    data = part.read(0, SEARCHED)
    at = data.find(b"\xff")
    while at >= 0:
        if (frame := step(data[at : at + 6])) is not None:
            after = step(part.read(at + frame[0], 6))
            if after is not None and after[1] == frame[1]:
                return at
        at = data.find(b"\xff", at + 1)
    return None


def _frames(part: Part, step: Step) -> str | None:
    """Frame after frame, over tags and damage between them: the last must be whole."""
    at, kind = 0, None
    while rest := part.read(at, 6):
        frame = step(rest)
        if frame is not None and frame[1] == (kind or frame[1]):
            at, kind = at + frame[0], frame[1]
        elif (tag := _after_id3(part, at)) > at:
            at, kind = tag, None
        elif len(rest) < 6 and rest[0] == 0xFF:
            return "its last frame is not whole"
        elif (ahead := _first_frame(replace(part, start=part.start + at + 1), step)) is not None:
            at, kind = at + 1 + ahead, None
        else:
            return None  # tags, or damage, up to the end
    return "its last frame is not whole" if at > len(part) else None


def _mp3(part: Part) -> str | None:
    """The last frame; and the bytes that a Xing or Info frame counts."""
    head = part.read(0, 200)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if 0 < at <= 36 and at + 16 <= len(head) and head[at + 7] & 3 == 3:
        promised = int.from_bytes(head[at + 12 : at + 16], "big")
        if len(part) < promised:
            return f"its first frame promises {promised} bytes and {len(part)} are there"
    return _frames(part, _mpeg_step)


def _amr(part: Part) -> str | None:
    head = part.read(0, 9)
    wide = head == b"#!AMR-WB\n"
    at, sizes = (9, AMR_WB_BYTES) if wide else (6, AMR_BYTES)
    while first := part.read(at, 1):
        at += 1 + sizes[first[0] >> 3 & 15]
    return "its last frame is not whole" if at > len(part) else None


CHECKS: dict[str, Callable[[Part], str | None]] = {
    "wav": _wav,
    "aiff": _aiff,
    "au": _au,
    "caf": _caf,
    "mov": _mov,
    "matroska": _matroska,
    "asf": _asf,
    "ogg": _ogg,
    "mp3": _mp3,
    "aac": lambda part: _frames(part, _adts_step),
    "amr": _amr,
}
