"""What a visitor does to the page, and what they wait for."""

import gc
import json
import shlex
from pathlib import Path

from playwright.sync_api import Page, expect

from robustaudio.audio.datasets import open_dataset
from robustaudio.cli import main
from robustaudio.ui.services import Services

SLOW_MS = 60_000


def opened(page_at, url: str, **options) -> Page:
    """A page after its first run: prediction, verdict, player and pictures are there."""
    page = page_at(url, **options)
    page.set_default_timeout(SLOW_MS)
    expect(page.locator("#prediction strong")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#perturb-words strong").first).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#player .ra-track").nth(2)).to_be_visible(timeout=SLOW_MS)
    return page


def choose(page: Page, field: str, option: str) -> None:
    page.locator(f"#{field} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def fill(page: Page, slider: str, number: str) -> None:
    field = page.locator(f"{slider} input[type=number]")
    expect(field).to_be_visible(timeout=SLOW_MS)
    page.wait_for_timeout(500)  # a panel that has just opened gives its fields their values again
    field.fill(number)
    field.press("Tab")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def run(page: Page, button: str, words: str, expected: str) -> str:
    """Presses a button, waits until the words hold what is expected and the bar is gone."""
    page.locator(f"#{button}").click()
    expect(page.locator(f"#{words}")).to_contain_text(expected, timeout=SLOW_MS)
    expect(page.locator(".ra-progress")).to_have_count(0, timeout=SLOW_MS)
    return page.locator(f"#{words}").inner_text()


def clip_name(file: str) -> str:
    """What the page calls a bundled clip."""
    row = next(row for row in open_dataset("bundled-digits").rows if row.file == file)
    return f"{row.label} · {row.speaker_or_source}"


def upload(page: Page, path: Path) -> None:
    """Sends a file, in place of the one that was sent before."""
    box = page.locator("#upload")
    if not box.is_visible():
        page.locator("#own-clip button").first.click()
    expect(box).to_be_visible()
    if box.get_by_label("Clear").count():
        box.get_by_label("Clear").first.click()
    box.locator("input[type=file]").set_input_files(path)


def downloaded(page: Page, button: str, to: Path) -> Path:
    with page.expect_download() as download:
        page.locator(f"#{button}").click()
    download.value.save_as(to)
    return to


def assert_made_again(report: dict, capsys, keys: tuple[str, ...]) -> None:
    """The command that a report names gives the report's own numbers."""
    capsys.readouterr()
    arguments = shlex.split(report["command"])[3:]
    assert main([*arguments, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for key in keys:
        assert again[key] == report["result"][key], key


def start_a_long_attack(page: Page) -> None:
    choose(page, "method", "Carlini–Wagner (L2)")
    page.locator("#options-cw button").first.click()
    fill(page, "#cw-steps", "2000")
    fill(page, "#cw-searches", "20")
    page.locator("#perturb").click()
    expect(page.locator("#perturb-status progress")).to_be_visible(timeout=SLOW_MS)


def choose_instruments(page: Page) -> None:
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#prediction")).to_contain_text("violin · FluidR3 Violin")


def page_services():
    """Every Services of the running apps: the tests delete what a visit keeps."""
    return [one for one in gc.get_objects() if type(one) is Services]
