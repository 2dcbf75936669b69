"""Pictures put their numbers where they are."""

from robustaudio.reports.svg import curves_svg


def test_curves_go_where_their_numbers_are():
    drawing = curves_svg({"a & b": [(-80.0, 0.0), (0.0, 100.0)]}, "x", "y")
    assert "a &amp; b" in drawing and drawing.count("<polyline") == 1
