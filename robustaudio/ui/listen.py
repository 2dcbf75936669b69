"""Listen: a listening test of the clip and what was done to it, for one listener or a class."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from gradio.components import Component

from robustaudio.audio.clip import Clip
from robustaudio.listening.store import MemoryStore, Store
from robustaudio.listening.study import PROCEDURES, Study, sound_text
from robustaudio.listening.study_file import parse
from robustaudio.ui import convert
from robustaudio.ui.blocks import QUIET, Visit, words
from robustaudio.ui.convert import Services, Source
from robustaudio.ui.jobs import EXPECTED, one_sentence

FOUND = "perturbation"  # the family that the first tab has made
TESTS = {
    "ABX: can it be heard at all?": "abx",
    "Threshold by QUEST+: from which level on?": "quest",
    "Threshold by a staircase, as students can follow it": "staircase",
    "Five grades: how much worse does it sound?": "impairment",
}


@dataclass(frozen=True)
class Length:
    """The option by which a procedure's length is chosen; its default is the procedure's own."""

    option: str
    label: str
    info: str
    least: int
    most: int


LENGTHS = {
    "abx": Length("trials", "Trials of each", "Fixed before the first: 16 is usual.", 6, 60),
    "quest": Length("trials", "Trials of each", "Fixed before the first: 40 is usual.", 20, 100),
    "staircase": Length(
        "reversals", "Reversals of each", "Turns of direction; the last one ends it.", 4, 30
    ),
}
FAMILIES = {
    "white noise": "white",
    "noise shaped to the masking threshold": "shaped",
    "the perturbation of the first tab": FOUND,
}
DEMO = "Demonstration: store nothing on disk"
ABOUT = """
Put the clip before people's ears, blinded, by a test that holds up. They need the link and
headphones, no account; nothing personal is stored. Open your own link first to try it.
"""
OPENED = """
<div class='ra-listen'>
  <p><strong>The test is open.</strong>
  <a href='{listeners}' target='_blank'>Take it yourself</a> ·
  <a href='{teacher}' target='_blank'>the teacher's page</a>: link, QR code, results as they come.
  <span class='ra-note'>Keep the teacher's address: whoever has it sees the results and may end
  the test.</span></p>
  <iframe src='{teacher}' title="The teacher's page" loading='lazy'></iframe>
</div>
"""


def build_listen(services: Services, visit: Visit, of_explore: dict[Component, Any]) -> None:
    """The tab; a test that was opened stays in sight when the clip changes."""
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
            level_db = gr.Slider(
                -80, 0, -40, step=1, label="Level (dB)", elem_id="listen-level",
                info="L2 of the perturbation relative to the clip's: minus the SNR.",
            )  # fmt: skip
            length = gr.Slider(**_length("abx"), step=1, elem_id="listen-length")
            questions = gr.Markdown(_questions("abx", ["white"], 16), elem_id="listen-questions")
            audible_db = gr.Slider(
                -20, 20, 0, step=1, label="Clearly audible level (dB)", elem_id="listen-audible",
                info="Of practice and catch trials, and where a threshold's search begins.",
            )  # fmt: skip
            hours = gr.Slider(1, 168, 24, step=1, label="Open for (hours)", elem_id="listen-hours")
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

    def open_study(study: Study, hours: float | None, demo: bool) -> list:
        room, key = services.rooms.open(study, hours, demo=demo)
        page = f"listen/{room.token}"
        opened = OPENED.format(listeners=page, teacher=f"{page}/teacher#{key}")
        with convert.scratch_folder() as folder:
            path = folder / "study.json"
            path.write_text(json.dumps(study.record(), indent=1), "utf-8")
            return [opened, gr.DownloadButton(value=str(path), interactive=True)]

    def open_from_page(
        source: Source, classifier: str, heard: dict | None, kind: str, families: list[str],
        level_db: float, length: float, audible_db: float, hours: float, demo: bool,
    ) -> list:  # fmt: skip
        try:
            _, clip = convert.open_source(services, source, classifier)
            options = _options(kind, level_db, int(length), audible_db)
            study = study_of(source.name, clip, heard, families, options)
            return open_study(study, hours, demo)
        except EXPECTED as error:
            raise one_sentence(error) from None

    def open_from_file(path: str | None, demo: bool) -> list:
        if path is None:
            return [gr.skip(), gr.skip()]
        try:
            return open_study(parse(Path(path).read_text("utf-8"), folder=None), None, demo)
        except (*EXPECTED, UnicodeDecodeError) as error:
            raise one_sentence(error) from None

    asked = [procedure, families, length]
    procedure.change(lambda kind: gr.Slider(**_length(kind)), procedure, length, **QUIET)
    gr.on([one.change for one in asked], _questions, asked, questions, **QUIET)
    wishes = [procedure, families, level_db, length, audible_db, hours, demo]
    inputs = [visit.source, visit.classifier, player, *wishes]
    queued = {**QUIET, "queue": True}  # outside the queue, an error's sentence is not shown
    start.click(open_from_page, inputs, [shown, export], **queued)
    file.upload(open_from_file, [file, demo], [shown, export], **queued)


def study_of(
    name: str, clip: Clip, heard: dict | None, families: list[str], options: dict[str, Any]
) -> Study:
    """The study that the tab's widgets describe, by the same reader as a study file.

    Raises:
        ValueError: for what makes no study; StudyError lists everything.
    """
    told: dict[str, Any] = {"name": name, "sound": sound_text(clip.to("cpu"))}
    if FOUND in families:
        clean, perturbed = _tracks(heard)
        told |= {"sound": sound_text(clean), "perturbed": {FOUND: sound_text(perturbed)}}
    study = {
        "title": f"What do you hear in {name}?",
        "clips": [told],
        "families": families,
        "procedure": options,
    }
    return parse(json.dumps(study), folder=None)


def _options(kind: str, level_db: float, length: int, audible_db: float) -> dict[str, Any]:
    if kind == "impairment":
        return {"kind": kind, "levels_db": [level_db + above for above in (0, 10, 20)]}
    options = {"kind": kind, LENGTHS[kind].option: length, "audible_db": audible_db}
    return options | ({"levels_db": [level_db]} if kind == "abx" else {})


def _length(kind: str) -> dict[str, Any]:
    """The slider of a procedure's length, at its default; ratings have none."""
    if kind not in LENGTHS:
        return {"visible": False}
    length = LENGTHS[kind]
    return {
        "minimum": length.least, "maximum": length.most, "label": length.label, "info": length.info,
        "value": getattr(PROCEDURES[kind], length.option), "visible": True,
    }  # fmt: skip


def _questions(kind: str, families: list[str], length: float) -> str:
    """How many questions a listener is asked."""
    if not families:
        return ""
    options = _options(kind, -40.0, int(length), 0.0)
    del options["kind"]
    count = PROCEDURES[kind](conditions=tuple(families), **options).expected_trials
    return f"About {count} questions for each listener, practice and catch trials included."


def _demo(store: Store) -> dict[str, Any]:
    """The box to tick; ticked for good where nothing else is possible."""
    if isinstance(store, MemoryStore):
        info = "Always here: this server keeps answers in memory only. They end with it."
        return {"value": True, "label": DEMO, "info": info, "interactive": False}
    info = f"Answers end with the server, and none is handed out. Unticked: kept {store.kept}."
    return {"value": True, "label": DEMO, "info": info}


def _tracks(heard: dict | None) -> tuple[Clip, Clip]:
    """Clean and perturbed, as the first tab's player holds them."""
    if not heard:
        raise ValueError("there is no perturbation yet; make one on the first tab.")
    by_key = {track["key"]: track["pcm"] for track in heard["tracks"]}
    sounds = [np.frombuffer(base64.b64decode(by_key[key]), "<f4").copy() for key in "AB"]
    clean, perturbed = (Clip(torch.from_numpy(s), heard["sample_rate"]) for s in sounds)
    return clean, perturbed
