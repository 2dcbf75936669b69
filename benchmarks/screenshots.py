"""Screenshots of the page: `python -m benchmarks.screenshots`.

Two are the README's: the page as it opens, and a ruler. Each of the others is one sentence that the
page says where things go wrong, cropped to where it stands. They lie in docs/results/page,
and docs/results/page.md shows them. `--only NAME …` makes some of them. A Chromium is needed
(`CHROMIUM` names it), and for the last one an address of this machine in its network.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, FloatRect, Page, expect, sync_playwright

from robustaudio.listening.web.http import reachable
from robustaudio.ui.launch import launch

ROOT = Path(__file__).resolve().parents[1]
FOLDER, PAGE = ROOT / "docs" / "results" / "page", ROOT / "docs" / "results" / "page.md"
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--autoplay-policy=no-user-gesture-required"]  # fmt: skip
SLOW_MS = 90_000


@dataclass(frozen=True)
class Shot:
    """A picture: its name, what it shows, how to get there, and what is cut out (nothing: all)."""

    name: str
    says: str
    play: Callable[[Page], None]
    crop: Sequence[str]
    width: int = 1280
    height: int = 900
    dark: bool = False
    far: bool = False  # over plain http, from another computer's point of view


def choose(page: Page, field: str, option: str) -> None:
    page.locator(f"#{field} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def fill(page: Page, field: str, number: str) -> None:
    page.wait_for_timeout(500)  # a panel that has just opened gives its fields their values again
    page.locator(f"{field} input[type=number]").fill(number)
    page.locator(f"{field} input[type=number]").press("Tab")


def run(page: Page, button: str, words: str, expected: str) -> None:
    page.locator(f"#{button}").click()
    expect(page.locator(f"#{words}")).to_contain_text(expected)
    expect(page.locator(".ra-progress")).to_have_count(0)


def upload(page: Page, path: Path) -> None:
    page.locator("#own-clip button").first.click()
    page.locator("#upload input[type=file]").set_input_files(path)


def swiped(page: Page) -> None:
    """A finger moves up over a picture: the page goes along."""
    plot = page.locator("#waveforms .js-plotly-plot")
    expect(plot).to_be_visible()
    plot.evaluate("plot => plot.scrollIntoView({block: 'center', behavior: 'instant'})")
    box, finger = plot.bounding_box(), page.context.new_cdp_session(page)
    assert box
    before, x, y = page.evaluate("scrollY"), box["x"] + box["width"] / 2, box["y"] + 100
    for kind, at in [("touchStart", y), *(("touchMove", y - 10 * n) for n in range(1, 16))]:
        points = [{"x": x, "y": at}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > before + 100


def outvoted(page: Page) -> None:
    tab(page, "Prove")
    run(page, "certify", "certify-words", "The vote hears 5, not 7")


def switched(page: Page) -> None:
    outvoted(page)
    page.get_by_role("button", name="Try digits-cnn-noise").click()
    expect(page.locator("#certify-words .ra-card")).to_have_count(0)
    run(page, "certify", "certify-words", "CERTIFIED 7")


def misheard(page: Page) -> None:
    choose(page, "classifier", "digits-strong")
    choose(page, "clip", "4 · flite rms")
    expect(page.locator("#prediction")).to_contain_text("wrong: this clip is labelled 4")
    expect(page.locator("#perturb-words")).to_contain_text("it was wrong before")


def proven_wrong(page: Page) -> None:
    misheard(page)
    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN 0, wrong")


def misheard_on_the_ruler(page: Page) -> None:
    misheard(page)
    tab(page, "Ruler")
    run(page, "measure", "ruler", "what is proven is the mistake")


def as_it_opens(page: Page) -> None:
    expect(page.locator("#waveforms .js-plotly-plot")).to_be_visible()


def proven_and_broken(page: Page) -> None:
    held(page)
    tab(page, "Ruler")
    run(page, "measure", "ruler", "the attack needs")


def held(page: Page) -> None:
    choose(page, "classifier", "digits-strong")
    expect(page.locator("#perturb-words")).to_contain_text("PGD in L∞ on digits-strong")
    expect(page.locator("#perturb-words")).to_contain_text("the decision holds")


def became_a_trumpet(page: Page) -> None:
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm")
    choose(page, "method", "Genetic algorithm")
    choose(page, "target", "trumpet")
    page.locator("#perturb").click()
    expect(page.locator("#perturb-words")).to_contain_text("target trumpet reached")


def menu_closed_again(page: Page) -> None:
    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN")
    page.locator("#classifier input").click()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.wait_for_timeout(1_500)
    expect(page.locator("#verify-words .ra-card")).to_have_count(1)


def bad_upload(page: Page) -> None:
    """A sound that cannot be used, after one that could."""
    folder = Path(tempfile.mkdtemp())
    shutil.copy(ROOT / "assets" / "clips" / "seven-slt.wav", folder / "mine.wav")
    soundfile.write(folder / "silence.wav", np.zeros(8_000), 8_000)
    upload(page, folder / "mine.wav")
    expect(page.locator("#prediction")).to_contain_text("your own clip")
    page.locator("#upload").get_by_label("Clear").first.click()
    page.locator("#upload input[type=file]").set_input_files(folder / "silence.wav")
    expect(page.locator("#prediction")).to_contain_text("is silent")
    expect(page.locator(".toast-body")).to_have_count(0)


def old_attack(page: Page) -> None:
    fill(page, "#level", "-30")
    expect(page.locator("#perturb-old")).to_contain_text("Old result")


def old_proof(page: Page) -> None:
    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN")
    fill(page, "#verify-level", "-20")
    expect(page.locator("#verify-old")).to_contain_text("Old result")


def unreached(page: Page) -> None:
    page.context.set_offline(True)
    page.locator("#perturb").click()
    expect(page.locator("#perturb-status")).to_contain_text("cannot be reached")


def no_proof(page: Page) -> None:
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm")
    tab(page, "Prove")
    expect(page.locator("#verify")).to_be_disabled()


def ruler_without_proof(page: Page) -> None:
    no_proof(page)
    tab(page, "Ruler")
    run(page, "measure", "ruler", "the attack needs")


def too_few_votes(page: Page) -> None:
    tab(page, "Prove")
    page.locator("#certify-n input").fill("8")
    expect(page.locator("#certify-unable")).to_contain_text("n must be")


def readme_table(page: Page) -> None:
    """The README's tables as any renderer draws them."""
    text = (ROOT / "README.md").read_text("utf-8").split("\n---\n", 1)[1]
    tables = text.split("## What is in the box")[1].split("\n## ")[0]
    style = "<style>body{font:15px system-ui;margin:1rem;width:900px}td,th{border:1px solid #ccc;"
    style += "padding:4px 8px;text-align:left}table{border-collapse:collapse;margin:1rem 0}</style>"
    drawn = MarkdownIt("gfm-like", {"linkify": False}).render(tables)
    page.set_content(f"{style}<div id='drawn'>{drawn}</div>")


def no_microphone(page: Page) -> None:
    page.locator("#own-clip button").first.click()
    expect(page.locator("#own-clip")).to_contain_text("https")


SHOTS = (
    Shot("app", "The page as it opens: a spoken seven, its perturbation, the player.", as_it_opens,
         [], height=1120),
    Shot("ruler", "The ruler of that clip and digits-strong: what is proven, what is broken.",
         proven_and_broken, ["#ruler figure"]),
    Shot("swipe", "A finger that moves over a picture scrolls the page; the axes stay, and no "
         "toolbar lies over the legend.", swiped, ["#waveforms"], 390),
    Shot("vote", "A vote for another word than the clip's is not green, and says what would help.",
         outvoted, ["#certify-words", "#certify-switch"]),
    Shot("vote-dark", "The same on a phone in dark mode.",
         outvoted, ["#certify-words", "#certify-switch"], 390, dark=True),
    Shot("vote-switched", "One click later: right, certified, and how much more 1000 votes could "
         "show.", switched, ["#certify-words"]),
    Shot("prediction-wrong", "A clip that is misheard says so beside the prediction.", misheard,
         ["#prediction"], 390),
    Shot("misheard", "What holds and was wrong before is not green.", misheard,
         ["#perturb-words"], 390),
    Shot("proven-wrong", "What is proven here is a mistake.", proven_wrong, ["#verify-words"]),
    Shot("ruler-wrong", "And on the ruler.", misheard_on_the_ruler, ["#ruler figcaption",
         "#ruler .ra-band"]),
    Shot("tour-holds", "The README's tour, step 2: the decision holds.", held, ["#perturb-words"]),
    Shot("tour-trumpet", "Step 8: a trumpet, after about a hundred generations.",
         became_a_trumpet, ["#perturb-words"]),
    Shot("menu", "The menu of classifiers was opened and closed: the proof still stands.",
         menu_closed_again, ["#verify", "#verify-words"]),
    Shot("bad-upload", "A file that cannot be used empties the results; the sentence stands in the "
         "place of the verdict.", bad_upload, ["#upload", "#prediction"]),
    Shot("old-attack", "A result whose inputs were changed is dim and says for what it holds.",
         old_attack, ["#perturb-old", "#perturb-words"]),
    Shot("old-proof", "The same of a proof, on a phone in dark mode.",
         old_proof, ["#verify-old", "#verify-words"], 390, dark=True),
    Shot("unreached", "The server cannot be reached.", unreached, ["#perturb", "#perturb-status"]),
    Shot("no-proof", "A classifier that cannot be proven: the button is off, and why.",
         no_proof, ["#verify", "#verify-unable"]),
    Shot("ruler-no-proof", "On the ruler it is said once; the vote over noisy copies has a strip "
         "of its own.", ruler_without_proof, ["#ruler figure"]),
    Shot("votes-too-few", "Eight votes cannot certify anything.", too_few_votes,
         ["#certify", "#certify-unable"]),
    Shot("readme", "README's tables have their heads.", readme_table, ["#drawn"]),
    Shot("no-microphone", "Over plain http from another computer: why there is no microphone, and "
         "how.", no_microphone, ["#own-clip"], 390, far=True),
)  # fmt: skip


def take(browser: Browser, shot: Shot, url: str) -> None:
    """One picture, of a visitor's own session."""
    phone = shot.width < 500
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, has_touch=phone, is_mobile=phone,
        color_scheme="dark" if shot.dark else "light",
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(SLOW_MS)
    page.goto(url, wait_until="domcontentloaded")
    expect(page.locator("#perturb-words strong").first).to_be_visible()
    expect(page.locator("#probabilities .js-plotly-plot")).to_be_visible()
    shot.play(page)
    page.wait_for_timeout(400)
    page.evaluate("document.activeElement?.blur()")
    path = FOLDER / f"{shot.name}.png"
    if not shot.crop:
        page.screenshot(path=path, animations="disabled")
    elif len(shot.crop) == 1:  # a picture of the whole page makes a phone forget it has no mouse
        page.locator(shot.crop[0]).first.screenshot(path=path, animations="disabled")
    else:
        page.screenshot(path=path, clip=around(page, shot), full_page=True, animations="disabled")
    context.close()
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB")


def around(page: Page, shot: Shot) -> FloatRect:
    """The smallest box around everything that is cut out, with a margin of 8 pixels."""
    boxes = [box for what in shot.crop for part in page.locator(what).all()
             if part.is_visible() and (box := part.evaluate(BOX))]  # fmt: skip
    left, top = min(b["x"] for b in boxes) - 8, min(b["y"] for b in boxes) - 8
    right = max(b["x"] + b["width"] for b in boxes) + 8
    bottom = max(b["y"] + b["height"] for b in boxes) + 8
    return {"x": max(left, 0), "y": max(top, 0), "width": min(right, shot.width) - max(left, 0),
            "height": bottom - max(top, 0)}  # fmt: skip


BOX = """one => { const box = one.getBoundingClientRect();
  return {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height}; }"""


def write_page() -> None:
    """The page that shows what is there."""
    shown = [shot for shot in SHOTS if (FOLDER / f"{shot.name}.png").exists()]
    parts = [
        f"**{shot.says}** ({shot.width} px{', dark' * shot.dark})\n\n"
        f"![{shot.says}](page/{shot.name}.png)\n"
        for shot in shown
    ]
    head = (
        "# The page, and what it says where things go wrong\n\n"
        "Made by `python -m benchmarks.screenshots`, which plays each of them in a Chromium and "
        "fails where a sentence does not appear.\n"
    )
    PAGE.write_text("\n".join([head, *parts]), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[shot.name for shot in SHOTS])
    only = parser.parse_args().only
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("ROBUSTAUDIO_LISTENING", "memory:")
    expect.set_options(timeout=SLOW_MS)
    served = launch("0.0.0.0", block=False, quiet=True)
    near = f"http://127.0.0.1:{served.server_port}/"
    far = f"http://{reachable('0.0.0.0')}:{served.server_port}/"
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        for shot in SHOTS:
            if only is None or shot.name in only:
                take(browser, shot, far if shot.far else near)
        browser.close()
    served.close()
    write_page()


if __name__ == "__main__":
    main()
