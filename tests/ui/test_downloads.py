"""Files to download: their names, and how many reports one holds."""

import pytest

from robustaudio.ui.downloads import MOST_RUNS, file_name, with_report


def test_reports_of_one_clip_are_the_last_ones():
    runs = ()
    for number in range(2 * MOST_RUNS):
        runs = with_report(runs, {"clip": "a", "number": number})
    assert [run["number"] for run in runs] == [*range(MOST_RUNS, 2 * MOST_RUNS)]
    assert with_report(runs, {"clip": "b"}) == ({"clip": "b"},)


@pytest.mark.parametrize(
    "parts, name",
    [
        (("seven-slt", "digits-cnn", "verify"), "seven-slt-digits-cnn-verify"),
        (("Grüße sieben – Übung", "c", "attack"), "Grüße sieben – Übung-c-attack"),
        (("a/b\\c:d", "c", "x"), "a-b-c-d-c-x"),
        (("7 · flite slt", "abx", "study"), "7-flite slt-abx-study"),
        (("x" * 300, "c", "verify"), "x" * 60 + "-c-verify"),
    ],
)
def test_a_download_is_named_after_clip_classifier_and_verb(parts, name):
    assert file_name(*parts) == name
