"""A finger on a picture scrolls the page, as it does on words, and leaves the picture alone."""

from contextlib import suppress

import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect
from playwright.sync_api import TimeoutError as TooLate
from ui.driving import SLOW_MS, opened, run, tab
from ui.results import certified, target_levels, verified

from robustaudio.ui import figures

RANGES = "plot => JSON.stringify(['xaxis', 'yaxis', 'yaxis2'].map(a => plot._fullLayout[a]?.range))"
EVERY = {
    "Hear & break": (
        "search", "probabilities", "waveforms", "spectrogram-clean", "spectrogram-perturbed",
        "spectrogram-difference", "masking-spectrum", "masking-ratio", "maximise-search",
    ),
    "Prove": ("logit-intervals", "votes"),
    "Ruler": ("targets-map",),
}  # fmt: skip
TOP = "visualViewport.pageTop"  # of what is seen, also where two fingers enlarged the page
SCROLLED = 30  # px that a page has moved by then: a picture that swallows a swipe moves it by 0
ANY_PLOT = ".js-plotly-plot:visible"
CENTRED = """async plot => {
  const still = () => new Promise(done => {  // a page that was swiped goes on for a while
    let frames = 0, last = NaN;
    const look = () => {
      frames = last === visualViewport.pageTop ? frames + 1 : 0;
      last = visualViewport.pageTop;
      frames < 3 ? requestAnimationFrame(look) : done();
    };
    look();
  });
  await still();
  plot.scrollIntoView({ block: "center", behavior: "instant" });
  await still();
}"""


def move(finger: CDPSession, *paths: list[tuple[float, float]]) -> None:
    """Fingers go down together, along their paths, and up again."""

    def points(at: int) -> list[dict]:
        return [{"x": path[at][0], "y": path[at][1], "id": n} for n, path in enumerate(paths)]

    for at in range(len(paths[0])):
        kind = "touchMove" if at else "touchStart"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points(at)})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def settled(plot: Locator) -> dict[str, float]:
    """Where a plot is, once it stands in the middle of what is seen, and the page stands still."""
    plot.evaluate(CENTRED)
    box = plot.bounding_box()
    assert box
    return {**box}


def swiped(
    page: Page, finger: CDPSession, plot: Locator, share: tuple[float, float], by: int,
    patience_s: float = 2.0,
) -> float:  # fmt: skip
    """How far the page scrolls when a finger moves up by so much, from a place on the plot."""
    box = settled(plot)
    x, y = box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"]
    before = page.evaluate(TOP)
    move(finger, [(x, y - by * step / 10) for step in range(11)])
    with suppress(TooLate):  # a busy browser scrolls late
        page.wait_for_function(
            f"before => Math.abs({TOP} - before) > {SCROLLED}", arg=before,
            timeout=1_000 * patience_s,
        )  # fmt: skip
    return page.evaluate(TOP) - before


def pinch(page: Page, finger: CDPSession, plot: Locator) -> None:
    """Two fingers move apart on a plot, and together again: the page is as large as before."""
    box = settled(plot)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    away = [10 + 8 * min(step, 14 - step) for step in range(15)]
    move(finger, [(x - d, y) for d in away], [(x + d, y) for d in away])
    page.wait_for_timeout(150)


def all_plots(page: Page) -> None:
    """Runs what draws a picture, on every tab."""
    page.locator("#more-like-itself button").first.click()
    run(page, "maximise", "maximise-words", "that this is “9”")
    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN")
    run(page, "certify", "certify-words", "CERTIFIED")
    tab(page, "Ruler")
    run(page, "targets", "targets-words", "targets reached")


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 820])
def test_a_finger_on_any_picture_scrolls_the_page_and_leaves_its_axes(app, page_at, width):
    page = opened(page_at, app, width=width, touch=True)
    finger = page.context.new_cdp_session(page)
    all_plots(page)
    for name, ids in EVERY.items():
        tab(page, name)
        for plot in ids:
            expect(page.locator(f"#{plot} .js-plotly-plot")).to_be_visible(timeout=SLOW_MS)
        plots = page.locator(ANY_PLOT)
        assert plots.count() == len(ids)  # a new picture belongs into the list
        for plot in plots.all():
            ranges = plot.evaluate(RANGES)
            for share in ((0.5, 0.5), (0.04, 0.5), (0.5, 0.93)):  # also on the axes' numbers
                up = swiped(page, finger, plot, share, 150)  # where the page ends, the other way
                patience_s = 0.1 if abs(up) > SCROLLED else 2.0
                down = swiped(page, finger, plot, share, -150, patience_s)
                assert max(abs(up), abs(down)) > SCROLLED, (name, plot)
            pinch(page, finger, plot)
            assert plot.evaluate(RANGES) == ranges
            assert not plot.locator(".modebar").first.is_visible()


@pytest.mark.browser
def test_a_mouse_zooms_by_the_toolbar_and_not_by_accident(app, page_at):
    page = opened(page_at, app)
    plot = page.locator("#waveforms .js-plotly-plot")
    expect(plot).to_be_visible(timeout=SLOW_MS)
    plot.scroll_into_view_if_needed()

    def dragged() -> bool:
        before, box = plot.evaluate(RANGES), plot.bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 120, y, steps=5)
        page.mouse.up()
        page.wait_for_timeout(400)
        return plot.evaluate(RANGES) != before

    assert not dragged()
    plot.hover()
    plot.locator("[data-title='Zoom']").click()
    assert dragged()
    assert plot.locator(".modebar-btn--logo").count() == 0


def test_every_figure_says_so_to_the_browser():
    proof = verified(prediction="a", logits_lower={"a": 1.0}, logits_upper={"a": 2.0})
    rows = [target_levels("a", {"b": -3.0})]
    for figure in (
        figures.search([1.0, 2.0], [None, 3.0]),
        figures.votes(certified(n=2, counts={"a": 2})),
        figures.logit_intervals(proof),
        figures.probabilities({"a": 1.0}, None),
        figures.targets(rows, unit="x"),
    ):
        told = figure.to_dict()
        assert told["layout"]["dragmode"] is False
        assert told["config"]["displaylogo"] is told["config"]["showAxisDragHandles"] is False
