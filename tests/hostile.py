"""Sounds that were made to stop a server: small files that say, or are, far too much.

Each function gives the bytes of a file, or writes it where its size is only said (sparse).
"""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import numpy as np
import soundfile

RATE, CHANNELS, SECONDS = 192_000, 8, 100


def chunk(name: bytes, content: bytes, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content + b"\0" * (len(content) % 2)


def wav(content: bytes, tag=1, channels=1, rate=8_000, align=2, bits=16, more=b"") -> bytes:
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits) + more
    return chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", form) + chunk(b"data", content))


def long_flac(seconds: int = SECONDS, channels: int = CHANNELS) -> bytes:
    """A tone in silence, at the highest rate: 19 million samples a channel in 160 kB."""
    second = np.zeros((RATE, channels), np.int16)
    tone = second.copy()
    tone[:9_600] = (8_000 * np.sin(2 * np.pi * 500 * np.arange(9_600) / RATE))[:, None]
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, channels, "PCM_16", format="FLAC") as flac:
        for number in range(seconds):
            flac.write(tone if number == seconds // 2 else second)
    return file.getvalue()


def remuxed(flac: bytes, container: str) -> bytes:
    """The packets of a FLAC in another container."""
    file = io.BytesIO()
    with av.open(io.BytesIO(flac), "r") as source, av.open(file, "w", format=container) as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return file.getvalue()


def sparse(path: Path, header: bytes, size: int) -> None:
    """A file of zeros behind a header; they take no room on the disk."""
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)


def long_pcm() -> dict[str, tuple[bytes, int]]:
    """Headers of 100 s, and the bytes that follow them."""
    size = RATE * CHANNELS * SECONDS  # of 8 bits
    form = struct.pack("<HHIIHH", 1, CHANNELS, RATE, RATE * CHANNELS, CHANNELS, 8)
    riff = b"RIFF" + struct.pack("<I", size + 36) + b"WAVE" + chunk(b"fmt ", form)
    wide = struct.pack("<QQQI", size + 80, size, RATE * SECONDS, 0)
    rf64 = b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", wide) + chunk(b"fmt ", form)
    extended = struct.pack(">HQ", 16383 + 17, RATE << (63 - 17))
    comm = struct.pack(">hIh", CHANNELS, RATE * SECONDS, 8) + extended
    aiff = b"FORM" + struct.pack(">I", size + 46) + b"AIFF" + chunk(b"COMM", comm, ">")
    caf = b"caff\0\1\0\0desc" + struct.pack(">qd", 32, float(RATE)) + b"lpcm"
    caf += struct.pack(">IIIII", 0, CHANNELS, 1, CHANNELS, 8)
    return {
        "long.wav": (riff + b"data" + struct.pack("<I", size), size),
        "long-rf64.wav": (rf64 + b"data\xff\xff\xff\xff", size),
        "long.aiff": (aiff + b"SSND" + struct.pack(">III", size + 8, 0, 0), size),
        "long.au": (_au(size, RATE, CHANNELS), size),
        "long.caf": (caf + b"data" + struct.pack(">qI", size + 4, 0), size),
        "endless.au": (_au(2**32 - 1, RATE, CHANNELS), 2**34),
        "65535-channels.wav": (
            b"RIFF" + struct.pack("<I", 2**27) + b"WAVE"
            + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 65535, 4_000, 2**28, 65535, 8))
            + b"data" + struct.pack("<I", 2**27), 2**27,
        ),
        "zeros.wav": (b"RIFF\0\0\0\0WAVE", 2**26),
        "zeros.aiff": (b"FORM\0\0\0\0AIFF", 2**26),
        "zeros.webm": (bytes.fromhex("1a45dfa380"), 2**26),
        "zeros.mp4": (b"\0\0\0\x08ftyp", 2**26),
        "zeros.ogg": (b"OggS", 2**26),
        "zeros.amr": (b"#!AMR\n", 2**26),
        "zeros.caf": (b"caff\0\1\0\0", 2**26),
        "zeros.wma": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), 2**26),
    }  # fmt: skip


# --- Ogg -----------------------------------------------------------------------------------------


def page(packet: bytes, serial: int, number: int, granule: int, flags: int = 0) -> bytes:
    """One packet on a page of its own (RFC 3533)."""
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = b"OggS\0" + struct.pack("<BqIII", flags, granule, serial, number, 0)
    whole = head + bytes([len(lacing)]) + lacing + packet
    return whole[:22] + struct.pack("<I", ogg_crc(whole)) + whole[26:]


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


TABLE = _table()


def ogg_crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ TABLE[(value >> 24) ^ byte]
    return value


def opus_head(channels: int = 1) -> bytes:
    family = 0 if channels < 3 else 255
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, 48_000, 0, family)
    return head + (bytes([channels, 0, *range(channels)]) if family else b"")


def opus(packets: int, serial: int = 1, channels: int = 1) -> bytes:
    """Packets of a few bytes, each of which lasts 120 ms (code 3: six frames of 20 ms)."""
    tags = b"OpusTags" + struct.pack("<II", 0, 0)
    pages = [page(opus_head(channels), serial, 0, 0, 2), page(tags, serial, 1, 0)]
    small = bytes([1 << 3 | 3, 6])  # SILK, six frames of 20 ms
    for number in range(packets):
        pages.append(page(small, serial, number + 2, (number + 1) * 5_760))
    return b"".join(pages)


# --- MP4 -----------------------------------------------------------------------------------------


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def mp4(tables: dict[bytes, bytes], rate: int = 8_000) -> bytes:
    """One track of 16-bit PCM whose tables are those given, in place of the right ones."""
    sound = (8_000 * np.sin(np.arange(8_000) / 5)).astype("<i2").tobytes()
    entry = struct.pack(">HIHHHHI", 1, 0, 0, 1, 16, 0, rate << 16 & 0xFFFFFFFF)
    right = {
        b"stsd": struct.pack(">II", 0, 1) + box(b"sowt", bytes(6), entry[:2], bytes(2), entry[2:]),
        b"stts": struct.pack(">IIII", 0, 1, 8_000, 1),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, 8_000, 1),
        b"stsz": struct.pack(">III", 0, 2, 8_000),
        b"stco": struct.pack(">III", 0, 1, 32),
    }
    stbl = box(b"stbl", *(box(name, content) for name, content in (right | tables).items()))
    dref = box(b"dref", struct.pack(">II", 0, 1), box(b"url ", struct.pack(">I", 1)))
    minf = box(b"minf", box(b"smhd", bytes(8)), box(b"dinf", dref), stbl)
    mdhd = box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, rate, 8_000, 0, 0))
    hdlr = box(b"hdlr", bytes(8), b"soun", bytes(13))
    tkhd = box(b"tkhd", struct.pack(">IIII", 0, 0, 0, 1), bytes(68))
    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, rate, 8_000), bytes(80))
    moov = box(b"moov", mvhd, box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, minf)))
    front = box(b"ftyp", b"qt  ", bytes(4), b"qt  ", bytes(4))
    return front + box(b"mdat", sound) + moov


def many(count: int) -> bytes:
    """A table's count, without the entries."""
    return struct.pack(">II", 0, count)


# --- tags ----------------------------------------------------------------------------------------


def id3(body: bytes, flags: int = 0) -> bytes:
    size = len(body)
    return b"ID3\4\0" + bytes([flags]) + bytes(size >> 7 * i & 0x7F for i in (3, 2, 1, 0)) + body


def bomb_of_text(count: int = 100, megabytes: int = 30) -> bytes:
    """ID3 frames whose text is small only while it is compressed: 3 GB in 3 MB."""
    size = (megabytes << 20) + 1
    packed = struct.pack(">I", size) + zlib.compress(b"\3" + b"a" * (size - 1), 9)
    length = bytes(len(packed) >> 7 * i & 0x7F for i in (3, 2, 1, 0))
    return id3(b"".join(b"TX%02d" % n + length + b"\0\x09" + packed for n in range(count)))


def silent_mp3(frames: int) -> bytes:
    return (b"\xff\xfb\x90\xc4" + bytes(413)) * frames


TABLES = ("stts", "stsc", "stco", "ctts", "stss", "co64", "sdtp", "sbgp", "stps", "cslg")
FLAC = cache(long_flac)

HOSTILE: dict[str, Callable[[], bytes]] = {
    "long.flac": FLAC,
    "long.oga": lambda: remuxed(FLAC(), "ogg"),
    "long.mka": lambda: remuxed(FLAC(), "matroska"),
    "long.mp4": lambda: remuxed(FLAC(), "mp4"),
    "minutes.opus": lambda: opus(800),
    "right.mp4": lambda: mp4({}),
    "silence.amr": lambda: b"#!AMR\n" + b"\x7c" * 20_000_000,
    "silence-wide.amr": lambda: b"#!AMR-WB\n" + b"\x7c" * 20_000_000,
    "minutes.amr": lambda: b"#!AMR\n" + b"\x7c" * 5_000,
    "hours.opus": lambda: opus(30_000),
    "links.opus": lambda: b"".join(opus(1, serial) for serial in range(5_000)),
    "pages.ogg": lambda: page(b"", 1, 0, 0, 2) * 500_000,
    "channels.opus": lambda: opus(800, channels=255),
    "tags.mp3": lambda: id3(b"") * 2_000_000 + silent_mp3(40),
    "tag.mp3": lambda: id3(bytes(20_000_000)) + silent_mp3(40),
    "tags-between.mp3": lambda: (silent_mp3(3) + id3(b"") * 200_000) * 5,
    "headers.mp3": lambda: b"\xff\xfb\x90\x00" * 5_000_000,
    "headers-far.mp3": lambda: silent_mp3(3) + b"\xff\xfb\xe0\x00" * 5_000_000,
    "headers.aac": lambda: b"\xff\xf1\x50\x80\x10\x1f\xfc" * 3_000_000,
    "bomb.wav": lambda: _with_tag(bomb_of_text()),
    "bomb.aiff": lambda: chunk(b"FORM", b"AIFF" + chunk(b"ID3 ", bomb_of_text(), ">"), ">"),
    "bomb.aac": lambda: b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9) + bomb_of_text(),
    "stsz.mp4": lambda: mp4({b"stsz": struct.pack(">III", 0, 2, 2**31 - 1)}),
    "stsz-table.mp4": lambda: mp4({b"stsz": struct.pack(">III", 0, 0, 2**29)}),
    "stsz-one.mp4": lambda: mp4({b"stsz": struct.pack(">III", 0, 1, 2**27)}, rate=192_000),
    **{f"{name}.mp4": lambda name=name: mp4({name.encode(): many(2**28 - 1)}) for name in TABLES},
    "stsc-many.mp4": lambda: mp4({b"stsc": struct.pack(">IIIII", 0, 1, 1, 2**31 - 1, 1)}),
    "stco-many.mp4": lambda: mp4({
        b"stco": many(1_000_000) + struct.pack(">I", 32) * 1_000_000,
        b"stsz": struct.pack(">III", 0, 2, 2**31 - 1),
    }),
    "stts-many.mp4": lambda: mp4({
        b"stts": many(1_000_000) + struct.pack(">II", 2**31 - 1, 1) * 1_000_000
    }),
    "deep.mp4": lambda: deep_boxes(100_000),
    "tracks.mp4": lambda: box(b"ftyp", b"qt  ", bytes(4)) + box(b"moov", box(
        b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"mdhd", bytes(24)),
        box(b"hdlr", bytes(8), b"soun", bytes(13)))) * 50_000),
    "comments.flac": lambda: b"fLaC\x84\xff\xff\xff" + struct.pack("<II", 0, 2**32 - 1)
    + bytes(2**24),
    "elements.webm": lambda: bytes.fromhex("1a45dfa3801853806701ffffffffffffff1f43b675")
    + b"\x01\xff\xff\xff\xff\xff\xff\xff" + b"\xec\x80" * 10_000_000,
    "segments.webm": lambda: bytes.fromhex("1a45dfa380") + b"\x18\x53\x80\x67\xff" * 4_000_000,
    "channels.wav": lambda: wav(bytes(65535 * 400), channels=65535, align=65535, bits=8),
    "aligned.wav": lambda: wav(bytes(60_000), tag=17, align=65535, bits=4),
    "rate.wav": lambda: wav(bytes(16_000), rate=2**32 - 1),
    "no-rate.wav": lambda: wav(bytes(16_000), rate=0),
    "bits.wav": lambda: wav(bytes(16_000), bits=65535),
    "no-channels.wav": lambda: wav(bytes(16_000), channels=0),
    "channels.au": lambda: _au(2**32 - 1, 8_000, 2**32 - 1) + bytes(2**20),
    "rate.au": lambda: _au(2**32 - 1, 2**32 - 1, 1) + bytes(2**20),
}  # fmt: skip


def _au(size: int, rate: int, channels: int) -> bytes:
    return b".snd" + struct.pack(">IIIII", 24, size, 2, rate, channels)


def _with_tag(tag: bytes) -> bytes:
    """A second of a WAV whose tag stands before the sound."""
    sound = wav((8_000 * np.sin(np.arange(8_000) / 5)).astype("<i2").tobytes())
    return sound[:36] + chunk(b"id3 ", tag) + sound[36:]


def deep_boxes(depth: int) -> bytes:
    """Boxes inside each other."""
    sizes = [8 * (depth - level) for level in range(depth)]
    return box(b"ftyp", b"qt  ", bytes(4)) + b"".join(
        struct.pack(">I", size) + b"moov" for size in sizes
    )
