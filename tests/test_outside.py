"""Text from outside: what is read, and the sentence for what is not."""

import os

import pytest

from robustaudio.outside import loads, read_bytes, read_json, read_text, shown


def test_a_file_is_read_up_to_its_size_and_without_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfabc")
    assert read_text(path, 6) == "abc" and read_bytes(path, 6) == path.read_bytes()
    with pytest.raises(ValueError, match=r"the card is too long: at most 0\.005 kB, please\."):
        read_bytes(path, 5, "the card")


@pytest.mark.parametrize(
    "name, sentence",
    [("none", "cannot be read: no such file"), (".", "is not a file"), ("a\0b", "is not the name")],
)
def test_what_is_no_file_is_a_sentence(name, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        read_bytes(tmp_path / name, 100)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is not a file"):
        read_bytes(tmp_path / "pipe", 100)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "a.json is not JSON: "),
        ("[" * 100_000, "a.json is nested too deeply|a.json is not JSON"),
        ('{"a": ["\\ud800"]}', r"a\.json holds half a character: '\\ud800'"),
        ("[1, 2, 3]", "a.json holds more than 3 values"),
    ],
)
def test_what_is_no_json_or_too_much_of_it_is_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        loads(text, "a.json", most_values=3 if "3" in text else 1_000_000)


def test_json_is_read_from_a_file(tmp_path):
    (tmp_path / "a.json").write_text('{"a": "\\ud83d\\ude00"}')
    assert read_json(tmp_path / "a.json", 100) == {"a": "\U0001f600"}


def test_a_value_in_a_sentence_is_short():
    assert shown("x" * 61, 3) == "'xx…" and shown(7) == "7"
    assert shown(10**5000) == "a number of many digits"
