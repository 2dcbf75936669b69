"""Containers whose sizes are slips, promises or none, and chains of Ogg."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from audio.refused import SEVEN, refusal

from robustaudio.audio.clip import Clip
from robustaudio.audio.containers import Looks


def with_sizes(path: Path, whole: int, data: int) -> Path:
    content = bytearray(SEVEN.read_bytes())
    assert content[36:40] == b"data"
    content[4:8], content[40:44] = struct.pack("<I", whole), struct.pack("<I", data)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "whole, data",
    [
        (6_924, 6_880), (6_920, 6_880), (6_917, 6_880),  # RIFF size a little too large
        (6_916, 6_924), (6_960, 6_924), (6_924, 6_924), (6_916, 6_916),  # data holds the file's
        (0x7FFFFFFF, 0x7FFFFFDB), (0xFFFFFFFF, 0xFFFFFFFF), (0, 0), (36, 0), (6_916, 0),
        (0x7FFFF024, 0x7FFFF000), (6_916, 0xFFFFFFFF), (0xFFFFFFFF, 6_880), (6_918, 6_882),
    ],
)  # fmt: skip
def test_sizes_of_streams_and_slips_are_no_truncation(whole, data, seven, tmp_path):
    clip = Clip.load(with_sizes(tmp_path / "a.wav", whole, data))
    assert torch.equal(clip.samples, seven.samples)


@pytest.mark.parametrize(
    "whole, data", [(6_916, 13_760), (13_796, 13_760), (6_916, 7_000), (0, 8_000), (7_036, 7_000)]
)
def test_data_that_are_not_there_are_told_with_both_numbers(whole, data, tmp_path):
    assert refusal(with_sizes(tmp_path / "a.wav", whole, data)) == (
        f"a.wav is truncated: its header promises {data} bytes of sound and 6880 are there."
    )


def test_an_empty_recording_with_a_note_behind_it_is_empty(tmp_path):
    content = bytearray(SEVEN.read_bytes()[:44]) + b"LIST" + struct.pack("<I", 400) + bytes(400)
    content[4:8], content[40:44] = struct.pack("<I", len(content) - 8), bytes(4)
    (tmp_path / "a.wav").write_bytes(content)
    assert refusal(tmp_path / "a.wav") == "a.wav lasts 0.000 s; at least 0.05 s, please."


@pytest.mark.parametrize("valid, bits", [(8, 16), (16, 24), (12, 32), (16, 32), (20, 32), (24, 32)])
def test_valid_bits_stand_above_zeros_and_change_no_sample(valid, bits, tmp_path):
    values = np.random.default_rng(valid).integers(-(2 ** (valid - 3)), 2 ** (valid - 3), 2_000)
    wide, size = values << (bits - valid), bits // 8
    data = b"".join(int(value).to_bytes(size, "little", signed=True) for value in wide)
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8_000, 8_000 * size, size, bits, 22, valid, 4)
    form += bytes.fromhex("0100000000001000800000aa00389b71")  # integers
    body = b"WAVE" + b"".join(
        kind + struct.pack("<I", len(chunk)) + chunk
        for kind, chunk in [(b"LIST", b"INFO"), (b"fmt ", form), (b"data", data)]
    )
    path = tmp_path / "wide.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert np.array_equal(Clip.load(path).samples.numpy(), np.float32(values / 2.0 ** (valid - 1)))
    path.write_bytes(path.read_bytes()[: len(data) // 2])
    assert "truncated" in refusal(path)


def ogg(samples: np.ndarray, rate: int, subtype: str, path: Path) -> bytes:
    soundfile.write(path, samples, rate, subtype, format="OGG")
    return path.read_bytes()


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("links", [2, 3])
def test_all_links_of_a_chained_ogg_are_read(subtype, links, seven, tmp_path):
    rate = 16_000 if subtype == "VORBIS" else 48_000
    samples = seven.resampled(rate).samples.numpy()
    content = ogg(samples, rate, subtype, tmp_path / "one.ogg")
    one = Clip.load(tmp_path / "one.ogg").samples
    assert len(one) == len(samples)
    (tmp_path / "chain.ogg").write_bytes(content * links)
    assert torch.equal(Clip.load(tmp_path / "chain.ogg").samples, one.repeat(links))


def test_links_of_other_rates_and_channels_get_the_rate_of_the_first(seven, tmp_path):
    first = ogg(seven.samples.numpy(), 8_000, "VORBIS", tmp_path / "first.ogg")
    stereo = np.stack([seven.resampled(16_000).samples.numpy()] * 2, 1)
    second = ogg(stereo, 16_000, "VORBIS", tmp_path / "second.ogg")
    (tmp_path / "chain.ogg").write_bytes(first + second)
    clip = Clip.load(tmp_path / "chain.ogg")
    assert (clip.sample_rate, len(clip.samples)) == (8_000, 2 * len(seven.samples))
    again = clip.samples[len(seven.samples) :]
    assert (again - Clip.load(tmp_path / "first.ogg").samples).abs().max() < 0.1


def without_end(content: bytes) -> bytes:
    """The end mark of the last page taken away; the checksum of the page is that of zeros."""
    at, changed = content.rindex(b"OggS"), bytearray(content)
    changed[at + 5] &= ~4
    crc = 0
    changed[at + 22 : at + 26] = bytes(4)
    for byte in changed[at:]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    changed[at + 22 : at + 26] = struct.pack("<I", crc)
    return bytes(changed)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_missing_end_mark_is_no_missing_sound(subtype, seven, tmp_path):
    samples = seven.resampled(48_000).samples.numpy()
    content = ogg(samples, 48_000, subtype, tmp_path / "whole.ogg")
    whole = Clip.load(tmp_path / "whole.ogg").samples
    (tmp_path / "open.ogg").write_bytes(without_end(content))
    clip = Clip.load(tmp_path / "open.ogg").samples
    assert torch.equal(clip[: len(whole)], whole) and len(clip) - len(whole) < 1_000
    (tmp_path / "cut.ogg").write_bytes(without_end(content)[:-1])
    assert refusal(tmp_path / "cut.ogg") == "cut.ogg is truncated: its last page is not whole."


def test_a_packet_that_goes_on_behind_the_last_page_is_missing_sound(seven, tmp_path):
    content = ogg(seven.samples.numpy(), 8_000, "VORBIS", tmp_path / "whole.ogg")
    at = content.rindex(b"OggS")
    segments = content[at + 26]
    lengths = content[at + 27 : at + 27 + segments]
    size = lengths[-1]
    longer = bytearray(without_end(content))
    longer[at + 27 + segments - 1] = 255  # the last packet: 255 bytes and more
    (tmp_path / "open.ogg").write_bytes(longer + bytes(255 - size))
    assert "goes on to a page that is not there" in refusal(tmp_path / "open.ogg")


def test_a_file_is_looked_at_so_often_and_no_more(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(bytes(100))
    with path.open("rb") as file:
        looks = Looks(file, 3, "a.wav")
        for _ in range(3):
            looks.seek(0)
        with pytest.raises(ValueError, match=r"^a\.wav is in more pieces than a sound has"):
            looks.seek(0)
