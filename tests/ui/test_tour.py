"""The README's tour, played word for word: a step that is reworded has to be played anew."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from ui.driving import SLOW_MS, choose, fill, run, tab

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
PEAK = "perturbation with every sample within −70.0 dB of the clip's peak"


def told_steps() -> list[str]:
    """The steps as README tells them, a line each."""
    tour = README.split("## A tour\n")[1].split("\n## ")[0]
    steps = re.split(r"^\d+\. ", tour, flags=re.MULTILINE)[1:]
    return [" ".join(step.split()) for step in steps]


def level_of(words: str, name: str) -> float:
    """A number of dB after its name in a verdict."""
    found = re.search(rf"{name} (−?[0-9.]+) dB", words)
    assert found, words
    return float(found[1].replace("−", "-"))


def hears_three(page: Page) -> None:
    expect(page.locator("#prediction")).to_contain_text("7 · flite slt")
    expect(page.locator("#prediction strong")).to_have_text("7")
    words = page.locator("#perturb-words")
    expect(words).to_contain_text("7 → 3")
    expect(words).to_contain_text("the decision changed")
    expect(words).to_contain_text("level −45.0 dB")
    page.keyboard.press("Space")
    status = page.locator("#player .ra-status")
    for key, name in (("b", "perturbed"), ("a", "clean"), ("d", "difference")):
        page.keyboard.press(key)
        expect(status).to_contain_text(f"Playing {key.upper()}, {name}")
    expect(page.locator("#player .ra-track").nth(2)).to_contain_text("+")  # dB of amplification
    page.keyboard.press("Space")


def holds(page: Page) -> None:
    choose(page, "classifier", "digits-strong")
    words = page.locator("#perturb-words")
    expect(words).to_contain_text("PGD in L∞ on digits-strong", timeout=SLOW_MS)
    expect(words).to_contain_text("the decision holds")
    expect(words.locator(".ra-holds")).to_have_count(1)


def hides(page: Page) -> None:
    choose(page, "classifier", "digits-cnn")
    words = page.locator("#perturb-words")
    expect(words).to_contain_text("PGD in L∞ on digits-cnn", timeout=SLOW_MS)
    first = level_of(words.inner_text(), "SNR")
    choose(page, "method", "Psychoacoustic (Qin et al.)")
    told = run(page, "perturb", "perturb-words", "Psychoacoustic (Qin et al.) in L∞ on digits-cnn")
    expect(words).to_contain_text("7 → 3")
    assert level_of(told, "SNR") < first - 20
    expect(page.locator("#masking-words")).to_contain_text("predicted inaudible")
    assert level_of(told, "noise-to-mask") < 0


def proves(page: Page) -> None:
    choose(page, "classifier", "digits-strong")
    tab(page, "Prove")
    words = run(page, "verify", "verify-words", f"no {PEAK} changes the decision")
    assert words.startswith("PROVEN")
    expect(page.locator("#logit-intervals .js-plotly-plot")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#logit-intervals .bars .point")).to_have_count(10)
    choose(page, "classifier", "digits-cnn")
    expect(page.locator("#verify-words .ra-card")).to_have_count(0)
    assert run(page, "verify", "verify-words", f"a {PEAK} may exist").startswith("NOT PROVEN")


def proves_the_inaudible(page: Page) -> None:
    choose(page, "clip", "8 · espeak-ng en-us+m3")
    choose(page, "classifier", "digits-inaudible")
    page.locator("#verify-norm").get_by_text("Masking set").click()
    expect(page.locator("#verify-level")).to_contain_text("masking threshold")
    fill(page, "#verify-level", "0")
    nothing = "nothing that stays at or below the clip's masking threshold"
    words = run(page, "verify", "verify-words", f"{nothing} in every bin of every frame changes")
    assert words.startswith("PROVEN") and "prediction 8" in words
    expect(page.locator("#noise-words")).to_contain_text("the same energy")
    page.locator("#noise-player .ra-play").click()
    for key, name in (("b", "+ shaped noise"), ("c", "+ white noise")):
        page.keyboard.press(key)
        expect(page.locator("#noise-player .ra-status")).to_contain_text(name)
    page.keyboard.press("Space")


def votes(page: Page) -> None:
    choose(page, "clip", "7 · flite slt")
    choose(page, "classifier", "digits-cnn")
    run(page, "certify", "certify-words", "The vote hears 5, not 7")
    expect(page.locator("#certify-words .ra-broken")).to_have_count(1)
    page.get_by_role("button", name="Try digits-cnn-noise").click()
    expect(page.locator("#certify-words .ra-card")).to_have_count(0)
    assert run(page, "certify", "certify-words", "CERTIFIED").startswith("CERTIFIED 7")
    expect(page.locator("#certify-words .ra-holds")).to_have_count(1)


def measures(page: Page) -> None:
    choose(page, "classifier", "digits-strong")
    tab(page, "Ruler")
    run(page, "measure", "ruler", "by digits-strong")
    proven, broken = (
        page.locator(f"#ruler .ra-band .{kind}").first.bounding_box()
        for kind in ("ra-proven", "ra-attacked")
    )
    assert proven and broken and proven["x"] + proven["width"] < broken["x"]


def evolves(page: Page) -> None:
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#prediction")).to_contain_text("violin · FluidR3 Violin")
    tab(page, "Hear & break")
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm", timeout=SLOW_MS)
    choose(page, "method", "Genetic algorithm")
    choose(page, "target", "trumpet")
    page.locator("#perturb").click()
    expect(page.locator("#perturb-status")).to_contain_text("generation", timeout=SLOW_MS)
    expect(page.locator("#player")).to_contain_text("best so far", timeout=SLOW_MS)
    words = page.locator("#perturb-words")
    expect(words).to_contain_text("target trumpet reached", timeout=2 * SLOW_MS)
    expect(words).to_contain_text("violin → trumpet")
    generations = int(re.findall(r"([0-9]+) queries", words.inner_text())[0]) / 20
    assert 50 < generations < 200
    page.locator("#own-clip button").first.click()
    expect(page.locator("#upload").get_by_label("Record audio")).to_be_visible()


TOUR: list[tuple[str, Callable[[Page], None]]] = [
    (
        "The page opens on a spoken seven, attacked at −45 dB: the classifier hears a three. Press "
        "space, then **B** and **A**: you hear a seven both times. **D** plays the difference, "
        "amplified.",
        hears_three,
    ),
    (
        "Choose the classifier `digits-strong`: the same attack runs by itself, and the decision "
        "holds.",
        holds,
    ),
    (
        "Choose `digits-cnn` again and the perturbation *Psychoacoustic (Qin et al.)*, and press "
        "*Perturb*. In about ten seconds it hears a three. This perturbation is more than 20 dB "
        "louder than the first one, and predicted inaudible.",
        hides,
    ),
    (
        "Choose `digits-strong`, and under **Prove** press *Verify*: no perturbation within −70 dB "
        "of the clip's peak changes the decision. The bars show each logit's interval over all of "
        "them. With `digits-cnn`, nothing is proven at that level.",
        proves,
    ),
    (
        "Choose the clip *8 · espeak-ng en-us+m3*, `digits-inaudible`, *Masking set* and the level "
        "0 dB, and press *Verify*: nothing that stays at or below the clip's masking threshold "
        "changes the decision. **B** plays the clip with noise that lies there, **C** with white "
        "noise of the same energy.",
        proves_the_inaudible,
    ),
    (
        "Choose the clip *7 · flite slt* and `digits-cnn`, and press *Certify*: the vote over "
        "noisy copies hears a five. Press *Try digits-cnn-noise*, and *Certify* again: it hears a "
        "seven.",
        votes,
    ),
    (
        "Choose `digits-strong`, and under **Ruler** press *Measure*: how far the proof reaches on "
        "the left, where the attack begins on the right, in about twenty seconds.",
        measures,
    ),
    (
        "Choose *Musical instruments* on top, and under **Hear & break** *Genetic algorithm* and "
        "*Make it hear* → *trumpet*; press *Perturb*. The violin becomes a trumpet to the "
        "classifier in about a hundred generations; the player has the best candidate meanwhile. "
        "Then record your own.",
        evolves,
    ),
]


def test_the_tour_that_is_played_is_the_one_that_readme_tells():
    assert told_steps() == [words for words, _ in TOUR]


@pytest.mark.browser
def test_every_step_of_the_tour_shows_what_it_says(page):
    for _, play in TOUR:
        play(page)
