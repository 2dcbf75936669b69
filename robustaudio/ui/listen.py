"""Listen: a listening test of the clip and what was done to it, for one listener or a class."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from gradio.components import Component

from robustaudio.audio.clip import Clip
from robustaudio.limits import Limits, Visitor
from robustaudio.listening.design.study import PROCEDURES, Study, sound_text
from robustaudio.listening.design.study_file import load_study, parse
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host, NoStudy, WrongKey
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.store import MemoryStore, Store
from robustaudio.listening.web.feedback import pooled
from robustaudio.ui import convert
from robustaudio.ui.blocks import NO_FILE, QUIET, Visit, words
from robustaudio.ui.convert import Services, Source
from robustaudio.ui.jobs import EXPECTED, one_sentence

FOUND = "perturbation"  # the family that the first tab has made
TESTS = {
    "ABX: can it be heard at all?": "abx",
    "Threshold by QUEST+: from which level on?": "quest",
    "Threshold by a staircase (easy to explain)": "staircase",
    "Five grades: how much worse does it sound?": "impairment",
}


@dataclass(frozen=True)
class Length:
    """The option by which a procedure's length is chosen; its default is the procedure's own."""

    option: str
    label: str
    info: str


LENGTHS = {
    "abx": Length("trials", "Trials of each", "Fixed before the first: 16 is usual."),
    "quest": Length("trials", "Trials of each", "Fixed before the first: 40 is usual."),
    "staircase": Length("reversals", "Reversals of each", "Turns of direction; the last ends it."),
}
LONGEST_S = 30  # of what the first tab's player holds: as long as a classifier listens
GRADED_ABOVE_DB = 0, 10, 20  # the level that was chosen
FAMILIES = {
    "white noise": "white",
    "noise shaped to the masking threshold": "shaped",
    "the perturbation of the first tab": FOUND,
}
DEMO = "Demonstration: store nothing on disk"
ABOUT = """
Ask people, blind: can they hear the change? They need the link and
headphones, no account; nothing personal is stored. Open your own link first to try it.
"""
OPENED = """
<div class='ra-listen'>
  <p><strong>The test is open.</strong>
  <a href='{listeners}' target='_blank'>Take it yourself</a> ·
  <a href='{teacher}' target='_blank'>the teacher's page</a>: link, QR code, results as they come.
  <span class='ra-note'>Whoever has the teacher's address sees the results and may end the test.
  </span></p>
  <iframe src='{teacher}' title="The teacher's page" loading='lazy'></iframe>
</div>
"""

KEPT = (
    "This browser keeps the teacher's address until the test is over. Copy it before you open "
    "another one."
)
NOT_KEPT = (
    "<strong>This browser keeps nothing here</strong>, as in a private window, or in a page that "
    "stands inside another site: after a reload the teacher's address is lost. Copy it now:"
)
PLACE = "robustaudio.opened"  # in the browser's storage, which may refuse any use
READ = f"""() => {{
  try {{
    return JSON.parse(localStorage.getItem("{PLACE}"));
  }} catch {{
    return null;
  }}
}}"""
KEEP = f"""(opened) => {{
  const note = (words) => `<p class="ra-note">${{words}}</p>`;
  try {{
    if (opened) localStorage.setItem("{PLACE}", JSON.stringify(opened));
    else localStorage.removeItem("{PLACE}");
    return opened ? note({json.dumps(KEPT)}) : "";
  }} catch {{
    if (!opened) return "";
    const [token, key] = [opened.token, opened.key].map(encodeURIComponent);
    const address = new URL(`listen/${{token}}/teacher#${{key}}`, document.baseURI).href;
    return note({json.dumps(NOT_KEPT)} + ` <code class="ra-address">${{address}}</code>`);
  }}
}}"""


def build_listen(
    services: Services, visit: Visit, of_explore: dict[Component, Any], load: Callable
) -> None:
    """The tab; a test that was opened stays in sight when the clip changes, and after a reload."""
    player = next(shown for shown in of_explore if shown.elem_id == "player")
    gr.Markdown(ABOUT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            procedure = gr.Radio(
                [*TESTS.items()], value="abx", label="Test", elem_id="listen-procedure"
            )
            families = gr.CheckboxGroup(
                [*FAMILIES.items()], value=["white"], label="What is heard against the clean clip",
                elem_id="listen-families",
            )  # fmt: skip
            level_db = gr.Slider(-80, 0, -40, step=1, **_level("abx"), elem_id="listen-level")
            # one range for all: a browser may still hold the length of the test chosen before
            length = gr.Slider(4, 100, **_length("abx"), step=1, elem_id="listen-length")
            questions = gr.Markdown(_questions("abx", ["white"], 16), elem_id="listen-questions")
            audible_db = gr.Slider(
                -20, 20, 0, step=1, label="Clearly audible level (dB)", elem_id="listen-audible",
                info="Practice and catch trials play at it; a threshold search starts here.",
            )  # fmt: skip
            hours = gr.Slider(
                1, 168, 24, step=1, label="Open for (hours)", elem_id="listen-hours",
                info=f"Also overrides a study file.{_unused(services.limits)}",
            )  # fmt: skip
            demo = gr.Checkbox(**_demo(services.rooms.store), elem_id="listen-demo")
            with gr.Row():
                start = gr.Button("Open the test", variant="primary", elem_id="listen-open")
                export = gr.DownloadButton("Study file", elem_id="listen-export", interactive=False)
            with gr.Accordion("Open a study file instead", open=False):
                file = gr.File(
                    file_types=[".yaml", ".yml", ".json"], label="Study (YAML or JSON)",
                    elem_id="listen-file", height=120,
                )  # fmt: skip
        with gr.Column(scale=3, min_width=320):
            shown = words("listen-opened")
            kept = words("listen-kept")

    def show(room: OpenStudy, key: str) -> Iterator[list]:
        page = f"listen/{room.token}"
        opened = OPENED.format(listeners=page, teacher=f"{page}/teacher#{key}")
        with convert.scratch_folder() as folder:
            tested = room.study
            names = [tested.clips[0].clip.name, tested.model.name or "", tested.options["kind"]]
            path = folder / f"{convert.file_name(*filter(None, names), 'study')}.json"
            path.write_text(json.dumps(room.study.record(), indent=1), "utf-8")
            file = gr.DownloadButton(value=str(path), interactive=True)
            yield [opened, file, {"token": room.token, "key": key}]

    def show_again(opened: Any) -> Iterator[list]:
        room = opened_room(services.rooms, opened)
        yield from show(room, opened["key"]) if room else [["", NO_FILE, None]]

    def open_from_page(
        source: Source, classifier: str, heard: dict | None, kind: str, families: list[str],
        level_db: float, length: float, audible_db: float, hours: float, demo: bool,
        request: gr.Request,
    ) -> Iterator[list]:  # fmt: skip
        try:
            _, clip = convert.open_source(services, source, classifier)
            options = _options(kind, level_db, int(length), audible_db)
            study = study_of(source.name, clip, classifier, heard, families, options)
            yield from show(
                *services.rooms.open(study, hours, demo=demo, visitor=_visitor(request))
            )
        except EXPECTED as error:
            raise one_sentence(error) from None

    def open_from_file(
        path: str | None, hours: float, demo: bool, request: gr.Request
    ) -> Iterator[list]:
        if path is None:
            yield [gr.skip()] * 3
            return
        try:
            study = load_study(Path(path), uploaded=True)
            yield from show(
                *services.rooms.open(study, hours, demo=demo, visitor=_visitor(request))
            )
        except EXPECTED as error:
            raise one_sentence(error) from None

    def fit(kind: str, families: list[str]) -> list:
        """Controls that do nothing for a test are hidden."""
        audible, length = gr.Slider(visible=kind != "impairment"), _length(kind)
        told = _questions(kind, families, length.get("value", 0))
        return [gr.Slider(**length), gr.Slider(**_level(kind)), audible, told]

    procedure.change(fit, [procedure, families], [length, level_db, audible_db, questions], **QUIET)
    # not at every change of the length: the answer to one that `fit` made may come after the next
    asked = [procedure, families, length]
    gr.on([families.change, length.input], _questions, asked, questions, **QUIET)
    wishes = [procedure, families, level_db, length, audible_db, hours, demo]
    inputs = [visit.source, visit.classifier, player, *wishes]
    queued = {**QUIET, "queue": True}  # outside the queue, an error's sentence is not shown
    outputs = [shown, export, visit.opened]
    start.click(open_from_page, inputs, outputs, **queued)
    file.upload(open_from_file, [file, hours, demo], outputs, **queued)
    stored = load(None, None, visit.opened, js=READ, **QUIET)
    stored.then(show_again, visit.opened, outputs, **queued)
    visit.opened.change(None, visit.opened, kept, js=KEEP, **QUIET)


def _unused(limits: Limits) -> str:
    """What becomes of a test here that nobody takes."""
    if limits.studies == inf:
        return ""
    hours = "an hour" if limits.unused_hours == 1 else f"{limits.unused_hours:g} hours"
    return f" Here a test that nobody takes within {hours} is closed."


def _visitor(request: gr.Request) -> Visitor:
    return Visitor(request.session_hash or "", request.client.host if request.client else "")


def opened_room(rooms: Host, opened: Any) -> OpenStudy | None:
    """The room of the test that a visitor opened, as their browser tells; None if it is over."""
    try:
        return rooms.find_for_teacher(opened["token"], opened["key"])
    except (KeyError, TypeError, AttributeError, NoStudy, WrongKey):
        return None


def answers_of(rooms: Host, opened: Any, folder: Path) -> Path:
    """The answers of that test as a file for the ruler; of a demonstration the analysis alone.

    Raises:
        ValueError: if it is over, or nobody has finished it.
    """
    room = opened_room(rooms, opened)
    if room is None:
        raise ValueError("you have no open test; open one under Listen.")
    so_far = pooled(room)
    if not so_far.finished:
        raise ValueError("nobody has finished the test yet; answers count when somebody has.")
    if room.demo:
        path, text = folder / "analysis.json", json.dumps(so_far.to_json())
    else:
        path, text = folder / "rows.json", export.as_json(room, export.tidy(room))
    path.write_text(text, "utf-8")
    return path


def study_of(
    name: str, clip: Clip, classifier: str, heard: dict | None, families: list[str],
    options: dict[str, Any],
) -> Study:  # fmt: skip
    """The study that the tab's widgets describe, by the same reader as a study file.

    Raises:
        ValueError: for what makes no study; StudyError lists everything.
    """
    told: dict[str, Any] = {"name": name, "sound": sound_text(clip.to("cpu"))}
    model: dict[str, str] = {}
    if FOUND in families:
        clean, perturbed = _tracks(heard)
        told |= {"sound": sound_text(clean), "perturbed": {FOUND: sound_text(perturbed)}}
        model = {"name": classifier}
    study = {
        "title": f"What do you hear in {name}?",
        "clips": [told],
        "families": families,
        "procedure": options,
        "model": model,
    }
    return parse(json.dumps(study), folder=None)


def _options(kind: str, level_db: float, length: int, audible_db: float) -> dict[str, Any]:
    if kind == "impairment":
        return {"kind": kind, "levels_db": [level_db + above for above in GRADED_ABOVE_DB]}
    options = {"kind": kind, LENGTHS[kind].option: length, "audible_db": audible_db}
    return options | ({"levels_db": [level_db]} if kind == "abx" else {})


def _length(kind: str) -> dict[str, Any]:
    """The slider of a procedure's length, at its default; ratings have none."""
    if kind not in LENGTHS:
        return {"visible": False}
    length = LENGTHS[kind]
    default = getattr(PROCEDURES[kind], length.option)
    return {"value": default, "label": length.label, "info": length.info, "visible": True}


def _level(kind: str) -> dict[str, Any]:
    """The slider of the level; a threshold is looked for at many."""
    info = "L2 of the perturbation relative to the clip's: minus the SNR."
    if kind == "impairment":
        above = " and ".join(str(level) for level in GRADED_ABOVE_DB[1:])
        info = f"{info} {above} dB above it are graded, too."
    label = "Softest level (dB)" if kind == "impairment" else "Level (dB)"
    return {"label": label, "info": info, "visible": kind in ("abx", "impairment")}


def _questions(kind: str, families: list[str], length: float) -> str:
    """How many questions a listener is asked."""
    if not families:
        return ""
    options = _options(kind, -40.0, int(length), 0.0)
    del options["kind"]
    conditions = tuple(Condition("", family) for family in families)
    count = PROCEDURES[kind](conditions=conditions, **options).expected_trials
    return f"About {count} questions for each listener, practice and catch trials included."


def _demo(store: Store) -> dict[str, Any]:
    """The box to tick; ticked for good where nothing else is possible."""
    if isinstance(store, MemoryStore):
        info = "Always here: this server keeps answers in memory only. They end with it."
        return {"value": True, "label": DEMO, "info": info, "interactive": False}
    info = "Answers are lost when the server stops, and cannot be downloaded. Unticked: kept "
    info += f"{store.kept}."
    return {"value": True, "label": DEMO, "info": info}


def _tracks(heard: dict | None) -> tuple[Clip, Clip]:
    """Clean and perturbed, as the first tab's player holds them.

    Raises:
        ValueError: if it holds none, or what no player holds.
    """
    if not heard:
        raise ValueError("there is no perturbation yet; make one on the first tab.")
    try:
        by_key, rate = {one["key"]: one["pcm"] for one in heard["tracks"]}, heard["sample_rate"]
        sounds = [np.frombuffer(base64.b64decode(by_key[key]), "<f4").copy() for key in "AB"]
        if type(rate) is not int or not 0 < len(sounds[0]) == len(sounds[1]) <= LONGEST_S * rate:
            raise ValueError("no rate, or no two sounds of one length")
        if not np.isfinite(sounds).all():
            raise ValueError("no finite samples")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        words = "the perturbation cannot be read; make it again on the first tab."
        raise ValueError(words) from error
    clean, perturbed = (Clip(torch.from_numpy(one), rate) for one in sounds)
    return clean, perturbed
