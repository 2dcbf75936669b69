"""Progress of a part is progress of the whole, and an early end is remembered."""

import pytest

from robustaudio.progress import Enough, Watched, part_of


def test_parts_report_the_share_of_the_whole():
    shares = []

    def whole(share, step=None, /):
        shares.append((share, step))

    first, second = part_of(whole, 0, 4), part_of(whole, 1, 4, size=3)
    assert first and second
    first(0.5)
    first(1.0)
    second(0.5, "step")
    second(1.1)
    assert shares == [(0.125, None), (0.25, None), (0.625, "step"), (1.0, None)]
    assert part_of(None, 0, 4) is None


def test_an_early_end_is_remembered():
    def enough(share, step=None, /):
        raise Enough

    watched, silent = Watched(enough), Watched(None)
    silent(0.5)
    with pytest.raises(Enough):
        watched(0.5)
    assert watched.ended and not silent.ended
