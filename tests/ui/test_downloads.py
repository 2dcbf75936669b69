"""Files to download: their names, and how many reports one holds."""

from robustaudio.ui.downloads import MOST_RUNS, with_report


def test_reports_of_one_clip_are_the_last_ones():
    runs = ()
    for number in range(2 * MOST_RUNS):
        runs = with_report(runs, {"clip": "a", "number": number})
    assert [run["number"] for run in runs] == [*range(MOST_RUNS, 2 * MOST_RUNS)]
    assert with_report(runs, {"clip": "b"}) == ({"clip": "b"},)
