"""Compressed ID3 tags are found, and only those that grow."""

import os

import hostile

from robustaudio.audio.id3 import holds_compressed_tag


def test_a_tag_is_compressed_only_where_its_frames_grow(tmp_path):
    plain = hostile.id3(b"TIT2\0\0\0\x05\0\0\3abcd" + os.urandom(2_000_000))
    path = tmp_path / "a"
    for front in (b"", b"T", b"TTCO", bytes(2**20 - 5), bytes(2**20 - 17)):
        for tag, expected in ((plain, False), (hostile.bomb_of_text(1, 1), True)):
            path.write_bytes(front + tag)
            with path.open("rb") as file:
                assert holds_compressed_tag(file, 0) is expected
    path.write_bytes(hostile.bomb_of_text(1, 1))
    with path.open("rb") as file:  # tags at the front of an MP3 are passed over
        assert not holds_compressed_tag(file, path.stat().st_size)
