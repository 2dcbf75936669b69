"""A search while it runs: seen, heard, ended early, and never of another clip."""

import json

import gradio as gr
import pytest
import torch
from playwright.sync_api import expect
from ui.driving import SLOW_MS, choose, downloaded, fill, opened

from robustaudio.attacks import CarliniWagner, Population
from robustaudio.attacks.genetic import Genetic
from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.attack import Attacking, Plan
from robustaudio.evaluation.attack import attack as perturb
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.results import Standing, to_json
from robustaudio.progress import Enough
from robustaudio.ui.html import progress_bar
from robustaudio.ui.widgets.live_search import REDRAW_S, REPLAY_S, Live, Paced, pictured
from robustaudio.ui.words.hear_and_break import search_words


@pytest.fixture(scope="module")
def classifier():
    return checkpoints.load_classifier("digits-cnn")


@pytest.fixture(scope="module")
def clip(classifier) -> Clip:
    return classifier.prepare(Clip.load(open_dataset("bundled-digits").folder / "seven-slt.wav"))


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("robustaudio.ui.widgets.live_search.time.monotonic", lambda: now[0])
    return now


def test_what_is_paced_waits_for_its_time_and_for_news(clock):
    paced = Paced(0.5)
    assert not paced.due(1_000)  # too early
    clock[0] = 0.6
    assert not paced.due(1)  # a line needs two points
    assert paced.due(1_000) and not paced.due(1_001)
    clock[0] = 1.2
    assert not paced.due(1_000)  # nothing new
    assert paced.due(1_001)


def test_words_sound_and_picture_come_each_in_its_time(clock, classifier, clip):
    with gr.Blocks():
        verdict, player, picture = gr.HTML(), gr.HTML(), gr.Plot()
    live, louder = Live(classifier, clip, "dB", verdict, player, picture), 0.5 * clip.samples
    told = [Standing(0.1 * step, -60.0, sound=lambda: louder) for step in range(9)]
    assert live.update(told) == {}
    clock[0] = REDRAW_S
    update = live.update(told)
    assert list(update) == [picture] and isinstance(update[picture], gr.Plot)
    clock[0] = REPLAY_S
    update = live.update([*told, told[-1]])
    words, tracks = update[verdict], update[player]["tracks"]
    assert "<strong>7</strong> → <strong>7</strong>" in words and "so far" in words
    assert [track["label"] for track in tracks] == ["clean", "best so far", "difference"]
    assert update[player]["goes_on"]


def test_a_search_of_one_step_has_no_picture():
    step = Standing(0.5, None)
    assert pictured([step], "dB").visible is pictured([], "dB").visible is False


@pytest.mark.parametrize("attack", [CarliniWagner(steps=200), Genetic(stops=False)])
def test_an_attack_that_is_ended_keeps_the_best_that_it_told_of(attack, classifier, clip):
    heard: list[torch.Tensor] = []

    def progress(share, step=None):
        if share > 0.2:
            heard.append(step.sound())
            raise Enough

    result = measure_clip(
        perturb, classifier, clip.samples, Attacking(Plan(attack), -25), progress=progress
    )
    assert len(heard) == 1 and torch.equal(heard[0], result.perturbed)
    assert len(to_json(result)["history"]) > 1
    assert bool(to_json(result)["generations"]) == isinstance(attack, Genetic)
    json.dumps(to_json(result))


def test_the_bar_tells_of_generations():
    told = [Standing(0.5, -30.0, Population(best=-1.5, mean=-2.0, diversity=0.1, queries=75))]
    bar = progress_bar(0.4, search_words("x", told, "peak"))
    assert "generation 1, best fitness −1.50: 40%" in bar


# --- the page ------------------------------------------------------------------------------------


@pytest.mark.browser
def test_evolution_is_seen_and_heard_while_it_runs_and_ends_with_its_best(app, page_at, tmp_path):
    page = opened(page_at, app)
    choose(page, "method", "Genetic algorithm")
    expect(page.locator("#level input[type=number]")).to_have_value("-25")
    choose(page, "target", "0")
    page.locator("#options-genetic button").first.click()
    fill(page, "#genetic-queries", "50000")
    page.locator("#genetic-stops input").uncheck()
    page.locator("#perturb").click()
    words = page.locator("#perturb-words")
    expect(words).to_contain_text("so far", timeout=SLOW_MS)
    expect(page.locator("#perturb-status")).to_contain_text("generation")
    expect(page.locator("#search .scatterlayer .trace")).to_have_count(3)
    page.locator("#player .ra-play").click()
    page.keyboard.press("b")
    expect(page.locator("#player .ra-status")).to_contain_text("Playing B, best so far")
    page.locator("#cancel-perturb").click()
    expect(words).to_contain_text("stopped by hand", timeout=SLOW_MS)
    expect(page.locator("#player .ra-status")).to_contain_text("Playing B, perturbed")
    expect(page.locator("#search .scatterlayer .trace")).to_have_count(3)
    expect(page.locator("#perturb-status .ra-progress")).to_have_count(0)
    told = downloaded(page, "download-report", tmp_path / "report.json").read_text()
    result = json.loads(told)["result"]
    assert result["stopped"] and 0 < result["queries"] < 50_000
    best = result["generations"]["best"]
    assert len(best) > 3 and best == sorted(best)


@pytest.mark.browser
def test_a_search_that_waits_for_its_turn_is_dropped(app, page_at):
    busy = [opened(page_at, app) for _ in range(2)]
    for page in busy:
        choose(page, "method", "Genetic algorithm")
        page.locator("#options-genetic button").first.click()
        fill(page, "#genetic-queries", "50000")
        page.locator("#genetic-stops input").uncheck()
        page.locator("#perturb").click()
        expect(page.locator("#perturb-status progress")).to_be_visible(timeout=SLOW_MS)
    waiting = page_at(app)
    expect(waiting.locator("#perturb-status")).to_contain_text("waiting", timeout=SLOW_MS)
    waiting.locator("#cancel-perturb").click()
    expect(waiting.locator("#perturb-status .ra-progress")).to_have_count(0, timeout=SLOW_MS)
    for page in busy:
        page.locator("#cancel-perturb").click()
        expect(page.locator("#perturb-words")).to_contain_text("stopped by hand", timeout=SLOW_MS)
    expect(waiting.locator("#perturb-words .ra-card")).to_have_count(0)
