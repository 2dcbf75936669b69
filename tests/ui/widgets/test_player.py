"""The player: exact samples and levels from Python, and in the browser switching without a seam."""

import base64
from collections.abc import Callable, Iterator

import gradio as gr
import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from robustaudio.paths import ASSETS
from robustaudio.ui.widgets.player import Player, Track, amplification_db, player_value

RATE = 8000
FADE = 0.01
TOLERANCE = 1e-6


def tone(seconds: float = 1.5, peak: float = 0.5) -> torch.Tensor:
    return peak * torch.sin(torch.arange(int(seconds * RATE)) * (2 * torch.pi * 440 / RATE))


def three_tracks(clean: torch.Tensor, name: str = "Clean") -> list[Track]:
    perturbation = 0.001 * torch.cos(torch.arange(len(clean)) * 0.7)
    return [
        Track("A", name, clean),
        Track("B", "Perturbed", clean + perturbation),
        Track("D", "Perturbation alone", perturbation, amplification_db(perturbation, clean)),
    ]


def pcm(track: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(track["pcm"]), dtype="<f4")


# The value


def test_samples_travel_bit_for_bit():
    samples = torch.randn(1001, generator=torch.Generator().manual_seed(0)) * 1e-3
    value = player_value([Track("A", "Clean", samples)], RATE)
    assert value["sample_rate"] == RATE
    assert pcm(value["tracks"][0]).tobytes() == samples.numpy().tobytes()


def test_tracks_within_full_scale_are_left_alone():
    value = player_value(three_tracks(tone()), RATE)
    assert value["common_gain_db"] == 0
    assert [track["gain_db"] for track in value["tracks"]] == [0, 0, 47]


def test_one_common_gain_comes_from_the_loudest_unamplified_track():
    clean, loud = tone(peak=1.0), tone(peak=2.0)
    tracks = [Track("A", "Clean", clean), Track("B", "Perturbed", loud)]
    value = player_value([*tracks, Track("D", "Difference", clean * 0.01, 20)], RATE)
    assert value["common_gain_db"] == pytest.approx(-20 * np.log10(loud.abs().max().item()))
    assert pcm(value["tracks"][1]).max() > 1.9  # still unnormalised: the player applies the gain


@pytest.mark.parametrize(
    ("perturbation_peak", "expected_db"),
    [(0.09, 14), (0.009, 34), (0.6, 0), (1.0, 0), (1e-9, 120), (0.0, 0)],
)
def test_amplification_is_a_whole_number_of_db_with_6_db_to_spare(perturbation_peak, expected_db):
    perturbation = perturbation_peak * torch.tensor([0.3, -1.0, 0.5])
    assert amplification_db(perturbation, torch.tensor([1.0, 0.0, -0.2])) == expected_db


def test_silent_reference_needs_no_amplification():
    assert amplification_db(torch.ones(3), torch.zeros(3)) == 0


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        ([], "one common length above 0"),
        ([("A", torch.ones(3)), ("B", torch.ones(4))], r"not \{'A': 3, 'B': 4\} samples"),
        ([("A", torch.tensor([0.0, float("nan")]))], "track 'A' contains NaN"),
        ([("A", torch.ones(3)), ("a", torch.ones(3))], "must differ"),
        ([("L", torch.ones(3))], "must differ from each other and from space and L"),
    ],
)
def test_tracks_that_cannot_be_compared_are_refused(tracks, message):
    with pytest.raises(ValueError, match=message):
        player_value([Track(key, "Clip", samples) for key, samples in tracks], RATE)


def test_amplification_beyond_full_scale_is_refused():
    with pytest.raises(ValueError, match="amplified by 40 dB would peak at 5"):
        player_value([Track("D", "Difference", tone() * 0.1, 40)], RATE)


# Sample by sample: what the graph renders, against the mix it should be


RENDER = """async ({tracks, sampleRate, frames, options, switches}) => {
    const context = new OfflineAudioContext(1, frames, sampleRate);
    const buffers = tracks.map((samples) => {
        const buffer = new AudioBuffer({length: samples.length, sampleRate});
        buffer.copyToChannel(Float32Array.from(samples), 0);
        return buffer;
    });
    const graph = robustaudioPlayer.buildGraph(context, buffers, options);
    for (const {index, time, at} of switches) {
        if (at === null) graph.select(index, time);
        else context.suspend(at).then(() => { graph.select(index, time); context.resume(); });
    }
    const rendered = await context.startRendering();
    return Array.from(rendered.getChannelData(0));
}"""

# (track, time) in seconds. The third and fourth interrupt a fade, the last two lie at one moment.
SWITCHES = [(1, 0.1), (0, 0.3), (1, 0.3043), (0, 0.3081), (1, 0.61237), (0, 0.9), (1, 0.9)]


@pytest.fixture
def render(page_at: Callable[..., Page]) -> Callable[..., np.ndarray]:
    """Render the player's graph offline; a switch is requested at once or `lead` s ahead of it."""
    page = page_at("about:blank")
    page.add_script_tag(content=(ASSETS / "player.js").read_text("utf-8"))

    def run(tracks, switches=(), *, seconds=1.3, lead=None, **options) -> np.ndarray:
        requests = [
            {"index": index, "time": time, "at": None if lead is None else max(0, time - lead)}
            for index, time in switches
        ]
        problem = {
            "tracks": [track.tolist() for track in tracks],
            "sampleRate": RATE,
            "frames": int(seconds * RATE),
            "options": {"fade": FADE, **options},
            "switches": requests,
        }
        return np.array(page.evaluate(RENDER, problem))

    return run


def two_signals(length: int = 4001) -> tuple[np.ndarray, np.ndarray]:
    """A sine and the same sine slightly perturbed, on an offset that makes any silence visible.

    The length fits neither the sine's period nor the browser's blocks of 128 samples.
    """
    n = np.arange(length)
    clean = 0.6 + 0.3 * np.sin(n * (2 * np.pi * 440 / RATE))
    perturbed = clean + 0.02 * np.cos(n * 0.7)
    return clean.astype(np.float32), perturbed.astype(np.float32)


def looped(samples: np.ndarray, frames: int, first: int = 0) -> np.ndarray:
    return samples[(first + np.arange(frames)) % len(samples)].astype(float)


def weight_of_b(switches, times: np.ndarray, fade: float) -> np.ndarray:
    """B's gain at each time: every switch runs linearly from wherever the last one has got to."""
    weight = np.zeros_like(times)
    for target, start in switches:
        begin = np.interp(start, times, weight)
        ramp = begin + (target - begin) * np.clip((times - start) / fade, 0, 1)
        weight = np.where(times >= start, ramp, weight)
    return weight


@pytest.mark.browser
@pytest.mark.parametrize(("lead", "fade"), [(None, FADE), (None, 0.04), (0.02, 0.04)])
def test_switching_is_exactly_a_linear_crossfade(render, lead, fade):
    """`lead`: the switch is requested while rendering, as a listener does it."""
    # One request per rendered block: the browser can be suspended only once in each.
    switches = SWITCHES if lead is None else [(1, 0.1), (0, 0.3), (1, 0.32), (0, 0.338)]
    clean, perturbed = two_signals()
    heard = render([clean, perturbed], switches, lead=lead, fade=fade)
    a, b = looped(clean, len(heard)), looped(perturbed, len(heard))
    times = np.arange(len(heard)) / RATE

    assert np.abs(heard).min() > 0.25  # never a gap
    assert (heard >= np.minimum(a, b) - TOLERANCE).all()
    assert (heard <= np.maximum(a, b) + TOLERANCE).all()
    weight = weight_of_b(switches, times, fade)
    before, after = weight == 0, weight == 1
    assert before.sum() > 1000 and after.sum() > 1000
    assert np.abs(heard - a)[before].max() <= TOLERANCE
    assert np.abs(heard - b)[after].max() <= TOLERANCE
    assert np.abs(heard - (a + weight * (b - a))).max() <= TOLERANCE


@pytest.mark.browser
def test_the_loop_seam_is_exact(render):
    clean, perturbed = two_signals()
    for selected, samples in enumerate([clean, perturbed]):
        heard = render([clean, perturbed], selected=selected, seconds=1.7)
        np.testing.assert_array_equal(heard, looped(samples, len(heard)))


@pytest.mark.browser
def test_gains_of_three_tracks_sum_to_one_at_every_sample(render):
    ones = [np.ones(4001, np.float32)] * 3
    switches = [(1, 0.1), (2, 0.104), (0, 0.107), (2, 0.109), (1, 0.4), (2, 0.402)]
    np.testing.assert_allclose(render(ones, switches), 1, atol=TOLERANCE)


@pytest.mark.browser
def test_starting_inside_the_clip_interpolates_nothing(render):
    clean, perturbed = two_signals()
    heard = render([clean, perturbed], offset=1000.4 / RATE, when=0.0100437)
    expected = looped(clean, len(heard), first=1000 - 80)  # when is sample 80.35, offset 1000.4
    after_fade = 80 + int(FADE * RATE)
    assert not heard[:80].any()
    np.testing.assert_allclose(heard[after_fade:], expected[after_fade:], atol=TOLERANCE)
    fading_in = heard[80:after_fade] / expected[80:after_fade]
    np.testing.assert_allclose(fading_in, np.arange(80) / 80, atol=1e-5)


# The page


@pytest.fixture(scope="module")
def app_url() -> Iterator[str]:
    with gr.Blocks(analytics_enabled=False) as demo:
        first = Player(player_value(three_tracks(tone()), RATE), elem_id="first")
        second = Player(hint="Nothing to compare yet.", elem_id="second")
        gr.Textbox(label="Notes", elem_id="notes")
        gr.Checkbox(label="Loud", elem_id="loud")
        count = gr.Number(0, elem_id="count")
        gr.Button("Count", elem_id="counter").click(lambda n: n + 1, count, count)
        gr.Button("New", elem_id="new").click(
            lambda: player_value(three_tracks(tone(2.0, peak=1.2), "Other"), RATE), None, first
        )
        gr.Button("Next", elem_id="next").click(
            lambda: player_value(three_tracks(tone(peak=0.25), "Next"), RATE, goes_on=True),
            None, first,
        )  # fmt: skip
        gr.Button("Clear", elem_id="clear").click(lambda: None, None, first)
        gr.Button("Fill second", elem_id="fill").click(
            lambda: player_value(three_tracks(tone())[:2], RATE), None, second
        )
    demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, run_history=False)
    yield str(demo.local_url)
    demo.close()


@pytest.fixture
def page(page_at: Callable[..., Page], app_url: str) -> Page:
    page = page_at(app_url)
    expect(status(page)).to_have_text("A, Clean")
    return page


def status(page: Page, player: str = "first"):
    return page.locator(f"#{player} .ra-status")


def position(page: Page) -> float:
    return float(page.locator("#first .ra-time").inner_text().split(" / ")[0])


def wait_for_sound(page: Page) -> None:
    page.wait_for_function(
        "parseFloat(document.querySelector('#first .ra-time').textContent) > 0.05"
    )


@pytest.mark.browser
def test_keys_switch_tracks_while_playing_without_a_restart(page):
    page.keyboard.press("Space")
    expect(status(page)).to_have_text("Playing A, Clean")
    wait_for_sound(page)
    graph = page.evaluate_handle("[...robustaudioPlayer.players][0].state.graph")
    for key, text in [("b", "B, Perturbed"), ("D", "D, Perturbation alone"), ("a", "A, Clean")]:
        page.keyboard.press(key)
        expect(status(page)).to_have_text(f"Playing {text}")
        pressed = page.locator("#first .ra-track[aria-pressed=true]")
        expect(pressed.locator("kbd")).to_have_text(key.upper())
    now = page.evaluate_handle("[...robustaudioPlayer.players][0].state.graph")
    assert page.evaluate("([before, now]) => before === now", [graph, now])
    rate = "([graph]) => graph.sources[0].context.sampleRate"
    assert page.evaluate(rate, [graph]) == RATE


@pytest.mark.browser
def test_space_pauses_and_goes_on_from_the_same_place(page):
    page.keyboard.press("Space")
    wait_for_sound(page)
    page.keyboard.press("Space")
    expect(status(page)).to_have_text("A, Clean")
    paused_at = position(page)
    page.wait_for_timeout(150)
    assert position(page) == paused_at > 0
    page.keyboard.press("Space")
    page.wait_for_timeout(100)
    assert paused_at <= position(page) < paused_at + 1


@pytest.mark.browser
def test_without_loop_it_stops_at_the_end_and_rewinds(page):
    page.keyboard.press("l")
    expect(page.locator("#first .ra-loop")).to_have_attribute("aria-pressed", "false")
    page.locator("#first .ra-position").focus()
    page.keyboard.press("End")
    for _ in range(40):  # far enough from the end to be seen playing
        page.keyboard.press("ArrowLeft")
    assert 0 < position(page) < 1.5
    page.keyboard.press("Space")
    expect(status(page)).to_have_text("Playing A, Clean")
    expect(status(page)).to_have_text("A, Clean")
    assert position(page) == 0


@pytest.mark.browser
def test_new_value_while_playing_keeps_the_track_and_starts_again(page):
    page.keyboard.press("Space")
    page.keyboard.press("d")
    expect(page.locator("#first .ra-common")).to_be_empty()
    page.locator("#new").click()
    expect(page.locator("#first .ra-time")).to_contain_text("/ 2.00 s")
    expect(status(page)).to_have_text("Playing D, Perturbation alone")
    expect(page.locator("#first .ra-common")).to_have_text("All tracks at −1.6 dB")
    page.keyboard.press("a")
    expect(status(page)).to_have_text("Playing A, Other")
    page.locator("#clear").click()
    expect(page.locator("#first .ra-hint")).to_be_visible()
    expect(page.locator("#first .ra-play")).to_be_hidden()


@pytest.mark.browser
def test_a_value_that_goes_on_does_so_from_where_it_was(page):
    page.keyboard.press("b")
    page.locator("#first .ra-position").fill("0.7")
    page.locator("#next").click()
    page.keyboard.press("a")
    expect(status(page)).to_have_text("A, Next")
    assert position(page) == 0.7
    page.locator("#first .ra-loop").click()
    page.locator("#first .ra-play").click()
    page.wait_for_function(
        "parseFloat(document.querySelector('#first .ra-time').textContent) > 0.75"
    )
    page.locator("#next").click()
    page.wait_for_timeout(200)
    expect(status(page)).to_contain_text("Playing A")
    assert position(page) > 0.75


@pytest.mark.browser
def test_keys_typed_elsewhere_are_left_alone(page):
    notes = page.locator("#notes textarea, #notes input").first
    notes.focus()
    page.keyboard.type("bad l ")
    expect(notes).to_have_value("bad l ")
    page.locator("#counter").focus()
    page.keyboard.press("Space")
    expect(page.locator("#count input")).to_have_value("1")
    expect(status(page)).to_have_text("A, Clean")


@pytest.mark.browser
def test_letters_reach_the_player_past_a_checkbox_but_space_does_not(page):
    box = page.locator("#loud input")
    box.focus()
    page.keyboard.press("b")
    expect(status(page)).to_have_text("B, Perturbed")
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    expect(status(page)).to_have_text("B, Perturbed")


@pytest.mark.browser
def test_only_one_player_sounds_and_listens_to_the_keyboard(page):
    expect(page.locator("#second .ra-hint")).to_have_text("Nothing to compare yet.")
    page.locator("#fill").click()
    page.locator("#first .ra-play").click()
    expect(status(page)).to_have_text("Playing A, Clean")
    page.locator("#second .ra-play").click()
    expect(status(page, "second")).to_have_text("Playing A, Clean")
    expect(status(page)).to_have_text("A, Clean")
    page.keyboard.press("b")
    expect(status(page, "second")).to_have_text("Playing B, Perturbed")
    expect(status(page)).to_have_text("A, Clean")


@pytest.mark.browser
def test_a_player_that_is_hidden_falls_silent(page):
    page.keyboard.press("Space")
    expect(status(page)).to_have_text("Playing A, Clean")
    page.locator("#first").evaluate("component => component.style.display = 'none'")
    expect(status(page)).to_have_text("A, Clean")


@pytest.mark.browser
def test_two_visitors_do_not_share_a_player(page_at, app_url):
    here, there = page_at(app_url), page_at(app_url)
    for page in (here, there):
        expect(status(page)).to_have_text("A, Clean")
    here.keyboard.press("Space")
    here.keyboard.press("b")
    expect(status(here)).to_have_text("Playing B, Perturbed")
    expect(status(there)).to_have_text("A, Clean")


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_player_fits_the_screen_in_light_and_dark(page_at, app_url, width, dark):
    page = page_at(app_url, width=width, dark=dark)
    expect(status(page)).to_have_text("A, Clean")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflow = "player => player.scrollWidth - player.clientWidth"
    assert page.locator("#first .ra-player").evaluate(overflow) == 0
    for button in page.locator("#first button").all():
        assert button.bounding_box()["height"] >= 44
    expect(page.locator("#first .ra-track").nth(2)).to_contain_text("+47 dB")
    background = "player => getComputedStyle(player).backgroundColor"
    red = page.locator("#first .ra-player").evaluate(background).split("(")[1].split(",")[0]
    assert (int(red) < 80) == dark
