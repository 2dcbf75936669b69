"""Two tasks on one page: what a task offers, and what it cannot do and says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from ui.driving import (
    SLOW_MS,
    assert_made_again,
    choose,
    downloaded,
    opened,
    run,
    tab,
    upload,
)

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.audio.tasks import TASKS
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation import figures
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.ui import launch, verdicts
from robustaudio.ui.ruler import ruler_html


@pytest.fixture(scope="module")
def services():
    return launch.load_services()


# --- what a task offers --------------------------------------------------------------------------


def test_a_task_has_its_own_classifiers_and_begins_with_a_clip_of_its_own(services):
    assert list(services.tasks) == ["digits", "instruments"]
    assert "instruments-svm" not in services.classifiers_of("digits")
    for task in services.tasks:
        classifier, clip = services.start(task)
        assert classifier in services.classifiers_of(task)
        assert clip.task == task and clip.path.is_file() and not clip.uploaded


def test_a_task_without_a_classifier_is_not_offered(services):
    digits = {name: card for name, card in services.cards.items() if card.task == "digits"}
    assert list(replace(services, cards=digits).tasks) == ["digits"]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_bundled_clips_come_first_and_every_file_has_a_name(task):
    bundled, clips = open_dataset(f"bundled-{task.name}"), task.clips()
    assert [path.name for path in clips.values()][: len(bundled)] == [
        row.file for row in bundled.rows
    ]
    assert len(set(clips.values())) == len(clips) and task.clip in clips
    assert not any("_" in name.split(" · ")[0] for name in clips)


def test_a_corpus_that_is_not_at_hand_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("ROBUSTAUDIO_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for task in TASKS:
        assert len(task.clips()) == len(open_dataset(f"bundled-{task.name}"))


# --- what people read ----------------------------------------------------------------------------


def test_labels_are_words_in_sentences_and_pictures():
    record = {
        "prediction": "electric_guitar", "clean_prediction": "acoustic_guitar", "n": 3,
        "counts": {"acoustic_guitar": 1, "electric_guitar": 2}, "probabilities": {},
        "logits_lower": {"acoustic_guitar": 0.0, "electric_guitar": 1.0},
        "logits_upper": {"acoustic_guitar": 2.0, "electric_guitar": 3.0}, "verified": False,
    }  # fmt: skip
    assert "least logit of electric guitar over" in verdicts.interval_words(record)
    assert "Red: acoustic guitar" in verdicts.interval_words(record)
    for figure in (figures.votes(record), figures.logit_intervals(record)):
        assert list(figure.data[0].x) == ["acoustic guitar", "electric guitar"]
    pair = {"acoustic_guitar": 0.25, "electric_guitar": 0.75}
    changed = dict(reversed(pair.items()))  # in whatever order a record has them
    clean, perturbed = figures.probabilities(pair, changed).data
    assert list(clean.x) == list(perturbed.x) == ["acoustic guitar", "electric guitar"]
    assert list(clean.y) == list(perturbed.y) == [0.25, 0.75]


def test_the_ruler_of_what_has_no_interval_rule_measures_the_rest_and_says_why():
    classifier = checkpoints.load_classifier("instruments-svm")
    clip = classifier.prepare(next(open_dataset("bundled-instruments").clips()))
    quick = Measuring(Smoothing(n0=10, n=50), PGD(steps=2))
    record = to_json(measure_clip(measure_ruler, classifier, clip.samples, quick))
    assert record["ruler"]["attacked_db"] < 0
    assert record["ruler"]["verified_db"] is record["ruler"]["verified_l2_db"] is None
    picture = ruler_html(record)
    assert picture.count("the last layer must be dense, not") == 1
    assert picture.count("no proof, as above") == 2
    assert "nothing is proven; the attack needs" in picture


def test_the_words_on_targets_name_the_easiest_and_the_hardest():
    row = {
        "classifier": "c", "attack": "DeepFool", "norm": "l2", "queries": 10, "seconds": 0.5,
        "prediction": "cello",
        "levels_db": {"electric_guitar": -80.4, "voice": -10.0, "organ": None},
    }  # fmt: skip
    words = verdicts.targets_words([row])
    assert "<strong>cello → electric guitar</strong>" in words
    assert "is the easiest: −80.4 dB of the clip's L2 norm" in words
    assert "hardest of those reached: cello → voice, −10.0 dB" in words
    assert "2 of 3 targets reached" in words and "DeepFool in L2 on c" in words
    nothing = verdicts.targets_words([{**row, "levels_db": {"voice": None}}])
    assert "nothing found" in nothing and "0 of 1 targets reached" in nothing


# --- the page ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(browser):
    page = launch.launch(block=False, quiet=True)
    yield page.local_url
    page.close()


@pytest.fixture
def page(app, page_at) -> Page:
    return opened(page_at, app)


def choose_instruments(page: Page) -> None:
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#prediction")).to_contain_text("violin · FluidR3 Violin")


def options(page: Page, field: str) -> list[str]:
    page.locator(f"#{field} input").click()
    found = page.get_by_role("option").all_inner_texts()
    page.keyboard.press("Escape")
    return [text.replace("✓", "").strip() for text in found]


@pytest.mark.browser
def test_task_then_classifier_then_clip(page):
    choose(page, "target", "3")
    choose_instruments(page)
    expect(page.locator("#target input")).to_have_value("any other")  # 3 is no instrument
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm", timeout=SLOW_MS)
    expect(page.locator(".toast-body")).to_have_count(0)
    assert options(page, "classifier") == [
        "instruments-cnn", "instruments-svm", "instruments-svm-denoise", "instruments-svm-noise"
    ]  # fmt: skip
    assert "acoustic guitar" in options(page, "target")
    assert options(page, "clip")[0] == "acoustic guitar · FluidR3 Nylon String Guitar"
    expect(page.locator("#player")).to_contain_text("2.00 s")
    page.locator("#player .ra-play").click()
    page.keyboard.press("b")
    expect(page.locator("#player .ra-status")).to_contain_text("Playing B, perturbed")
    choose(page, "clip", "organ · FluidR3 Church Organ")
    expect(page.locator("#prediction")).to_contain_text("organ · FluidR3 Church Organ")
    page.locator("#task").get_by_text("Spoken digits").click()  # and back
    expect(page.locator("#prediction")).to_contain_text("digits-cnn · 7 · flite slt")
    expect(page.locator("#perturb-words")).to_contain_text("7 →", timeout=SLOW_MS)
    assert len(options(page, "target")) == 11


@pytest.mark.browser
def test_what_a_classifier_cannot_do_is_one_sentence(page):
    choose_instruments(page)
    expect(page.locator("#representation label")).to_have_count(1)  # it has the waveform only
    tab(page, "Prove")
    expect(page.locator("#verify-unable")).to_contain_text("the last layer must be dense, not")
    expect(page.locator("#verify")).to_be_disabled()
    tab(page, "Ruler")
    page.locator("#measure").click()
    expect(page.locator("#ruler")).to_contain_text("the attack needs", timeout=3 * SLOW_MS)
    expect(page.locator("#ruler")).to_contain_text("the last layer must be dense, not")


@pytest.mark.browser
def test_an_own_clip_stays_when_the_task_changes(page, services):
    upload(page, Path(open_dataset("bundled-digits").folder / "four-rms.wav"))
    expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#prediction")).to_contain_text("instruments-svm · your own clip")
    heard = page.locator("#prediction strong").inner_text()
    assert heard in {
        figures.shown_label(label) for label in services.cards["instruments-svm"].labels
    }
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm", timeout=SLOW_MS)


@pytest.mark.browser
def test_what_it_takes_from_this_clip_and_from_one_of_every_label(page, tmp_path, capsys):
    tab(page, "Ruler")
    words = run(page, "targets", "targets-words", "9 of 9 targets reached")
    assert words.startswith("7 → 3")
    cells = page.locator("#targets-map .textpoint text")
    expect(cells).to_have_count(10, timeout=SLOW_MS)
    assert cells.all_text_contents().count("·") == 1
    told = downloaded(page, "download-targets", tmp_path / "one.json").read_text()
    (report,) = json.loads(told)["runs"]
    assert_made_again(report, capsys, ("prediction", "levels_db", "queries"))

    page.locator("#targets-from").get_by_text("one clip per label").click()
    page.locator("#targets-attack").get_by_text("PGD", exact=True).click()
    page.locator("#targets").click()
    expect(page.locator("#targets-words")).to_contain_text("PGD in L∞", timeout=SLOW_MS)
    page.locator("#cancel-targets").click()  # what was found stays
    expect(page.locator("#targets-status .ra-progress")).to_have_count(0, timeout=SLOW_MS)
    page.wait_for_timeout(1_500)
    rows = page.locator("#targets-map .ytick text")
    many = rows.count()
    assert 1 <= many < 10
    told = downloaded(page, "download-targets", tmp_path / "some.json").read_text()
    runs = json.loads(told)["runs"]
    assert [run["result"]["prediction"] for run in runs] == [*"0123456789"][:many]
    choose(page, "clip", "0 · flite rms")
    expect(page.locator("#targets-words .ra-card")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_eleven_long_labels_fit_a_phone(app, page_at, dark):
    page = opened(page_at, app, width=390, dark=dark)
    choose_instruments(page)
    expect(page.locator("#probabilities .xtick text").first).to_be_visible(timeout=SLOW_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ends = page.evaluate(
        "[...document.querySelectorAll('#probabilities .xtick text')]"
        ".map(text => text.getBoundingClientRect().bottom)"
    )
    below = page.evaluate("document.querySelector('#probabilities').getBoundingClientRect().bottom")
    assert len(ends) == 11 and max(ends) <= below
