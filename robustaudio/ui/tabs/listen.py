"""Listen: a listening test of the clip and what was done to it, for one listener or a class."""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from math import inf
from pathlib import Path
from typing import Any

import gradio as gr

from robustaudio.audio.clip import Clip
from robustaudio.evaluation.results import PerturbedClip
from robustaudio.listening.design.study import PROCEDURES, Study, sound_text
from robustaudio.listening.design.study_file import load_study, parse
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host, NoStudy, WrongKey
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.store import MemoryStore, Store
from robustaudio.listening.web.feedback import pooled
from robustaudio.options import option_of
from robustaudio.serving.limits import Limits
from robustaudio.ui.downloads import download, file_name, scratch_folder
from robustaudio.ui.events import NO_FILE, QUICK, QUIET, Update, script
from robustaudio.ui.queued import visitor_of
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import file_button, words
from robustaudio.ui.words.listen import ABOUT, DEMO, KEPT, NOT_KEPT, OPENED

FOUND = "perturbation"  # the family that the first tab has made
TESTS = [(made.label, kind) for kind, made in PROCEDURES.items() if made.label]
GRADED_ABOVE_DB = 0, 10, 20  # the level that was chosen
FAMILIES = {
    "white noise": "white",
    "noise shaped to the masking threshold": "shaped",
    "the perturbation of the first tab": FOUND,
}
PLACE = "robustaudio.opened"  # in the browser's storage


def build_listen(visit: Visit, load: Callable) -> None:
    """The tab; a test that was opened stays in sight when the clip changes, and after a reload."""
    services = visit.services
    gr.Markdown(ABOUT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            procedure = gr.Radio(TESTS, value="abx", label="Test", elem_id="listen-procedure")
            families = gr.CheckboxGroup(
                [*FAMILIES.items()], value=["white"], label="What is heard against the clean clip",
                elem_id="listen-families",
            )  # fmt: skip
            level_db = gr.Slider(-80, 0, -40, step=1, **_level("abx"), elem_id="listen-level")
            # all have one range: a browser may still hold the length of the test chosen before
            length = gr.Slider(**_length("abx"), step=1, elem_id="listen-length")
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
                export = file_button("Study file", "listen-export")
            with gr.Accordion("Open a study file instead", open=False):
                file = gr.File(
                    file_types=[".yaml", ".yml", ".json"], label="Study (YAML or JSON)",
                    elem_id="listen-file", height=120,
                )  # fmt: skip
        with gr.Column(scale=3, min_width=320):
            shown = words("listen-opened")
            kept = words("listen-kept")

    def show(room: OpenStudy, key: str) -> Iterator[Update]:
        page, tested = f"listen/{room.token}", room.study
        names = [tested.clips[0].clip.name, tested.model.name or "", tested.options["kind"]]
        with scratch_folder() as folder:
            path = folder / f"{file_name(*filter(None, names), 'study')}.json"
            path.write_text(json.dumps(tested.record(), indent=1), "utf-8")
            yield {
                shown: OPENED.format(listeners=page, teacher=f"{page}/teacher#{key}"),
                export: download(path),
                visit.opened: {"token": room.token, "key": key},
            }

    def show_again(opened: Any) -> Iterator[Update]:
        if room := opened_room(services.rooms, opened):
            yield from show(room, opened["key"])
        else:
            yield {shown: "", export: NO_FILE, visit.opened: None}

    def open_test(study: Study, values: Update, request: gr.Request) -> Iterator[Update]:
        visitor = visitor_of(request)
        room = services.rooms.open(study, values[hours], demo=values[demo], visitor=visitor)
        yield from show(*room)

    def open_from_page(values: Update, request: gr.Request) -> Iterator[Update]:
        source, model, kind = values[visit.source], values[visit.classifier], values[procedure]
        _, clip = services.open(source, model)
        options = _options(kind, values[level_db], int(values[length]), values[audible_db])
        perturbed = values[visit.perturbed]
        study = study_of(source.name, clip, model, perturbed, values[families], options)
        yield from open_test(study, values, request)

    def open_from_file(values: Update, request: gr.Request) -> Iterator[Any]:
        if values[file] is None:
            yield gr.skip()
            return
        study = load_study(Path(values[file]), uploaded=True)
        yield from open_test(study, values, request)

    def fit(values: Update) -> Update:
        """Controls that do nothing for a test are hidden."""
        kind = values[procedure]
        fitting = _length(kind)
        return {
            length: gr.Slider(**fitting),
            level_db: gr.Slider(**_level(kind)),
            audible_db: gr.Slider(visible=kind != "impairment"),
            questions: _questions(kind, values[families], fitting.get("value", 0)),
        }

    def count_questions(values: Update) -> Update:
        return {questions: _questions(values[procedure], values[families], values[length])}

    procedure.change(fit, {procedure, families}, [length, level_db, audible_db, questions], **QUIET)
    # not at every change of the length: the answer to one that `fit` made may come after the next
    asked = {procedure, families, length}
    gr.on([families.change, length.input], count_questions, asked, questions, **QUIET)
    wishes = {procedure, families, level_db, length, audible_db, hours, demo}
    inputs = {visit.source, visit.classifier, visit.perturbed, *wishes}
    outputs = [shown, export, visit.opened]
    start.click(open_from_page, inputs, outputs, **QUICK)
    file.upload(open_from_file, {file, hours, demo}, outputs, **QUICK)
    stored = load(None, None, visit.opened, js=script("read_opened", PLACE), **QUIET)
    stored.then(show_again, visit.opened, outputs, **QUICK)
    visit.opened.change(
        None, visit.opened, kept, js=script("keep_opened", PLACE, KEPT, NOT_KEPT), **QUIET
    )


def _unused(limits: Limits) -> str:
    """What becomes of a test here that nobody takes."""
    if limits.studies == inf:
        return ""
    hours = "an hour" if limits.unused_hours == 1 else f"{limits.unused_hours:g} hours"
    return f" Here a test that nobody takes within {hours} is closed."


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
    name: str, clip: Clip, classifier: str, perturbed: PerturbedClip | None, families: list[str],
    options: dict[str, Any],
) -> Study:  # fmt: skip
    """The study that the tab's widgets describe, by the same reader as a study file.

    Raises:
        ValueError: for what makes no study; StudyError lists everything.
    """
    asked: dict[str, Any] = {"name": name, "sound": sound_text(clip.to("cpu"))}
    model: dict[str, str] = {}
    if FOUND in families:
        if perturbed is None:
            raise ValueError("there is no perturbation yet; make one on the first tab.")
        clean, changed = (
            sound_text(Clip(samples.cpu(), clip.sample_rate))
            for samples in (perturbed.clean, perturbed.perturbed)
        )
        asked |= {"sound": clean, "perturbed": {FOUND: changed}}
        model = {"name": classifier}
    study = {
        "title": f"What do you hear in {name}?",
        "clips": [asked],
        "families": families,
        "procedure": options,
        "model": model,
    }
    return parse(json.dumps(study), folder=None)


def _options(kind: str, level_db: float, length: int, audible_db: float) -> dict[str, Any]:
    made = PROCEDURES[kind]
    if made.length is None:
        return {"kind": kind, "levels_db": [level_db + above for above in GRADED_ABOVE_DB]}
    options = {"kind": kind, made.length: length, "audible_db": audible_db}
    return options | ({"levels_db": [level_db]} if _has_levels(made) else {})


def _length(kind: str) -> dict[str, Any]:
    """The slider of a procedure's length, at its default; ratings have none."""
    made = PROCEDURES[kind]
    if made.length is None:
        return {"visible": False}
    (declared,) = (declared for declared in fields(made) if declared.name == made.length)
    option, label = option_of(declared), f"{made.length} of each".capitalize()
    shown = {"label": label, "info": option.help, "visible": True}
    return shown | {"minimum": option.low, "maximum": option.high, "value": declared.default}


def _has_levels(made: type) -> bool:
    """Whether a procedure asks at levels that are chosen; a search for a threshold has its own."""
    return "levels_db" in {option.name for option in fields(made)}


def _level(kind: str) -> dict[str, Any]:
    """The slider of the level; a threshold is looked for at many."""
    info = "L2 of the perturbation relative to the clip's: minus the SNR."
    graded = PROCEDURES[kind].length is None
    if graded:
        above = " and ".join(str(level) for level in GRADED_ABOVE_DB[1:])
        info = f"{info} {above} dB above it are graded, too."
    label = "Softest level (dB)" if graded else "Level (dB)"
    return {"label": label, "info": info, "visible": _has_levels(PROCEDURES[kind])}


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
