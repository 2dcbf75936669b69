"""The sentence on an error: ours, without a library's words."""

import pytest

from robustaudio.ui.errors import one_sentence, spoken


@pytest.mark.parametrize(
    "error, sentence",
    [
        (ValueError("there is no file /tmp/a/b.wav."), "there is no file b.wav."),
        (ValueError("see https://a.example/b/c."), "see https://a.example/b/c."),
        (ValueError(r"C:\Users\me\x.wav is empty."), "x.wav is empty."),
        (OSError(28, "No space left on device", "/root/x"), "no space left on device."),
        (MemoryError(), "there is not enough memory; ask for less, or close other programs."),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
         "there is not enough memory: 2.15 GB more were asked for at once; ask for less, or close "
         "other programs."),
        (KeyError("A"), "Something failed on the server, whose log says why."),
        (ValueError("cannot convert float NaN to integer"),
         "Something failed on the server, whose log says why."),
    ],
)  # fmt: skip
def test_what_is_said_of_an_error(error, sentence):
    assert spoken(error) == sentence


def test_a_sentence_is_shown_as_text_whatever_it_quotes():
    message = one_sentence(ValueError("unknown key <img src=x> & 'y'\n- more")).message
    assert message == "unknown key &lt;img src=x&gt; &amp; 'y'<br>- more"
