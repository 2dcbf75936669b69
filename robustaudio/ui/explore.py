"""Hear and break: perturb the clip, hear it beside the clean one, see what changed."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.attacks import ATTACKS
from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation import figures
from robustaudio.evaluation.exhibits import exhibits
from robustaudio.evaluation.figures import Audibility
from robustaudio.evaluation.report import make_report, save_perturbed
from robustaudio.evaluation.results import PerturbedClip, to_json
from robustaudio.threats.noise import audible_representations
from robustaudio.threats.norms import LINF, NORMS, norm_named
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import (
    MEASURE_PLOTS,
    NO_FILE,
    QUIET,
    Turns,
    Visit,
    ends_search,
    start_and_cancel,
    wire,
    words,
)
from robustaudio.ui.budget import Budget
from robustaudio.ui.convert import NoClip, Services, Source
from robustaudio.ui.cursor import Cursor
from robustaudio.ui.jobs import EXPECTED, in_place, one_sentence, stream
from robustaudio.ui.live import Live, pictured
from robustaudio.ui.methods import (
    METHODS,
    NOISE,
    Wish,
    about_level,
    option_widgets,
    start_level_db,
)
from robustaudio.ui.old import Asked
from robustaudio.ui.player import Player

START_METHOD, START_NORM, START_AT, START_SIGMA = "pgd", LINF.name, "waveform", 0.1


@dataclass(frozen=True)
class Controls:
    """The widgets of a wish: `wish` in the order of `Wish`, `options` by attack and field."""

    wish: list
    options: dict[str, dict]
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    search: gr.Plot
    at: gr.Radio

    @property
    def inputs(self) -> list:
        return [*self.wish, *chain(*(own.values() for own in self.options.values()))]

    def asked(self, more: list) -> Asked:
        """What a result depends on: `more`, and what counts for the chosen method."""
        method, norm, level_db, target, _, survive, sigma, _ = self.wish
        when = {sigma: (NOISE,)} | {of: tuple(ATTACKS) for of in (norm, level_db, target, survive)}
        for name, widgets in self.options.items():
            when |= {widget: (name,) for widget in widgets.values()}
        return Asked([*more, *self.inputs], method, when)

    def read(self, values: Sequence[Any]) -> Wish:
        """The wish that the values of `inputs` are.

        Raises:
            ValueError: for a number field that was left empty, or holds what cannot be.
        """
        own, every = len(self.wish), iter(values[len(self.wish) :])
        options = {
            attack: {name: next(every) for name in widgets}
            for attack, widgets in self.options.items()
        }
        wish = Wish(*values[:own], options=options.get(values[0], {}))
        size = {"sigma": wish.sigma} if wish.method == NOISE else {"level_db": wish.level_db}
        convert.required(**size, **wish.options, seed=wish.seed)
        return wish


def build_explore(
    services: Services, visit: Visit, starts: list, changed: list
) -> dict[Component, Any]:
    """The tab, which runs on its button and on every event of `starts`.

    Returns what a new clip empties, and how.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            controls = build_controls(visit.target)
        with gr.Column(scale=5, min_width=320):
            old, verdict = words("perturb-old"), words("perturb-words")
            player = Player(elem_id="player", hint="Clean, perturbed and difference play here.")
            probabilities = gr.Plot(show_label=False, elem_id="probabilities")
            waveforms = gr.Plot(show_label=False, elem_id="waveforms")
            with gr.Accordion("Same size, different sound", elem_id="exhibits"):
                compared = Player(
                    elem_id="exhibits-player", hint="Three perturbations, side by side."
                )
                table = words("exhibits-words")
    with gr.Row():
        spectrograms = [
            gr.Plot(show_label=False, min_width=300, elem_id=f"spectrogram-{name}")
            for name in ("clean", "perturbed", "difference")
        ]
    masking = _build_masking()
    with gr.Row():
        subtype = gr.Radio(
            [("32-bit float", "FLOAT"), ("24 bit", "PCM_24")], value="FLOAT", label="WAV format"
        )
        wav = gr.DownloadButton("Perturbed clip (WAV)", interactive=False, elem_id="download-wav")
        report = gr.DownloadButton("Report (JSON)", interactive=False, elem_id="download-report")
    shown = [verdict, player, probabilities, waveforms, *spectrograms, compared, table]
    outputs = {
        **dict.fromkeys(shown), **masking, wav: NO_FILE, report: NO_FILE,
        controls.search: gr.update(value=None, visible=False), controls.status: "",
    }  # fmt: skip

    def offer(classifier: str, at: str) -> gr.Radio:
        """The representations that the classifier has and that can be heard."""
        audible = audible_representations(services.classifiers[classifier])
        return gr.Radio(audible, value=at if at in audible else START_AT)

    gr.on(changed, offer, [visit.classifier, controls.at], controls.at, **QUIET)

    def perturb(
        turns: Turns, source: Source, classifier: str, subtype: str, *widgets: Any
    ) -> Iterator[list]:
        try:
            wish = controls.read(widgets)
            chosen, clip = convert.open_source(services, source, classifier)
            relative_to = verdicts.level_relative_to(wish.norm, wish.representation)
            live = Live(chosen, clip, f"dB of {relative_to}")
            budget = Budget(services.limits.seconds)
            with turns.search() as halt:
                for share, told, result in stream(
                    lambda progress: wish.run(chosen, clip, progress),
                    lambda: halt.asked or budget.over(),
                ):
                    if result is None:
                        bar = verdicts.search_bar(share, METHODS[wish.method], told, relative_to)
                        verdict, player, picture = live.of(told)
                        yield [verdict, player, *[gr.skip()] * (len(outputs) - 4), picture, bar]
                        continue
                    record = {**to_json(result), "stopped": halt.asked, **budget.record}
                    shown = _shown(chosen, clip, result, record, wish.seed, source.label)
                    command = wish.command(source, classifier)
                    with convert.scratch_folder() as folder:
                        verb = "noise" if wish.method == NOISE else "attack"
                        names = [
                            convert.file_name(source.path.stem, chosen.name, last)
                            for last in ("perturbed", verb)
                        ]
                        files = _written(
                            chosen, clip, result, record, command, folder, names, subtype
                        )
                        yield [*shown, *files, pictured(record, live.unit), ""]
        except NoClip as error:
            yield [in_place(error), *deepcopy([*outputs.values()][1:])]
        except EXPECTED as error:
            raise one_sentence(error) from None

    inputs = [visit.turns, visit.source, visit.classifier, subtype, *controls.inputs]
    return wire(visit, controls.run, starts, ends_search(visit, controls.stop), perturb, inputs,
                outputs, [controls.search, controls.status], old,
                controls.asked([subtype]))  # fmt: skip


def _written(
    classifier: Classifier, clip: Clip, result: PerturbedClip, record: dict, command: list[str],
    folder: Path, names: list[str], subtype: str,
) -> list[gr.DownloadButton]:  # fmt: skip
    """The perturbed clip and the report, to download."""
    path = folder / f"{names[0]}.wav"
    file = save_perturbed(classifier, clip, result, path, subtype)
    record = {**record, **file, "output": path.name}
    made = make_report(classifier, clip, command, record)
    report = convert.report_file(folder, names[1], made)
    return [gr.DownloadButton(value=str(f), interactive=True) for f in (path, report)]


def build_controls(target: gr.Dropdown) -> Controls:
    method = gr.Dropdown(
        [(shown, name) for name, shown in METHODS.items()],
        value=START_METHOD, label="Perturbation", elem_id="method", filterable=False,
    )  # fmt: skip
    with gr.Column(elem_classes="ra-tight") as of_attacks:
        norm = gr.Radio(
            [(norm.title, norm.name) for norm in NORMS.values()],
            value=START_NORM, label="Norm", elem_id="norm",
        )  # fmt: skip
        start_db = start_level_db(START_METHOD, START_NORM)
        level_db = gr.Slider(
            *LINF.levels.attacked, start_db, step=1, label="Level (dB)", elem_id="level",
            info=about_level(START_METHOD, START_NORM, START_AT),
        )  # fmt: skip
        target.render()
    with gr.Column(visible=False, elem_classes="ra-tight") as of_noise:
        sigma = gr.Number(
            START_SIGMA, label="σ", step=0.01, elem_id="sigma",
            info="standard deviation in the representation's own units (the peak is 1)",
        )  # fmt: skip
    run, stop = start_and_cancel("Perturb", "perturb", "Stop")
    status = words("perturb-status")
    search = gr.Plot(show_label=False, elem_id="search", visible=False)
    representation = gr.Radio(
        [START_AT], value=START_AT, label="Representation", elem_id="representation",
        info="Beyond the waveform you hear the nearest real sound, rebuilt with the clean phase.",
    )  # fmt: skip
    survive = gr.Checkbox(
        False, label="Must survive a 16-bit file", elem_id="survive-rounding",
        info="Every candidate is judged after rounding.",
    )  # fmt: skip
    options, groups = {}, {}
    for name in ATTACKS:
        chosen = name == START_METHOD
        with gr.Accordion(
            f"{METHODS[name]} options", open=False, visible=chosen, elem_id=f"options-{name}"
        ) as groups[name]:
            options[name] = option_widgets(name)
    seed = gr.Number(0, label="Seed", elem_id="seed")
    begun = gr.State(start_db)  # where the level was put last

    def follow(method: str, norm: str, representation: str, begun: float) -> list:
        """A new method or norm moves the level only where it begins elsewhere than the last one."""
        low, high = norm_named(norm).levels.attacked
        start_db = begun if method == NOISE else start_level_db(method, norm)
        moved: dict[str, Any] = {} if start_db == begun else {"value": start_db}
        about = about_level(method, norm, representation)
        level = gr.update(minimum=low, maximum=high, info=about, **moved)
        visible = [method != NOISE, method != NOISE, method == NOISE]
        own = [method == name and bool(options[name]) for name in groups]
        return [level, start_db, *(gr.update(visible=v) for v in [*visible, *own])]

    gr.on(
        [method.change, norm.change, representation.change],
        follow, [method, norm, representation, begun],
        [level_db, begun, of_attacks, survive, of_noise, *groups.values()], **QUIET,
    )  # fmt: skip
    wish = [method, norm, level_db, target, representation, survive, sigma, seed]
    return Controls(wish, options, run, stop, status, search, representation)


def _build_masking() -> dict[Component, Any]:
    """What the clip hides; the cursor redraws both pictures from the last result."""
    heard = gr.State(None)
    with gr.Accordion("Masking: what the clip hides", open=True, elem_id="masking") as hidden:
        audibility = words("masking-words")
        cursor = Cursor(0, 1, 0, label="Frame at (s)", elem_id="frame", visible=False)
        with gr.Row():
            pictures = [
                gr.Plot(show_label=False, min_width=300, elem_id=f"masking-{name}")
                for name in ("spectrum", "ratio")
            ]
    hidden.expand(None, js=MEASURE_PLOTS, **QUIET)

    def redraw(heard: Audibility | None, time_s: float | None) -> list:
        if heard is None or time_s is None:
            return [gr.skip(), gr.skip()]
        return _masking_pictures(heard, heard.frame_at(time_s))

    cursor.input(redraw, [heard, cursor], pictures, trigger_mode="always_last", **QUIET)
    emptied: dict[Component, Any] = {audibility: None, cursor: gr.update(visible=False)}
    return emptied | {heard: gr.skip()} | dict.fromkeys(pictures)


def _masking_pictures(heard: Audibility, frame: int) -> list:
    return [figures.masking_spectrum(heard, frame), figures.noise_to_mask(heard, frame)]


def _shown(
    classifier: Classifier, clip: Clip, result: PerturbedClip, record: dict, seed: int,
    truth: str | None = None,
) -> list:  # fmt: skip
    """Words, player and pictures of a result, in the order of the tab's outputs."""
    rate, clean, perturbed = clip.sample_rate, result.clean, result.perturbed
    return [
        verdicts.perturbation_words(record, truth),
        convert.player_tracks(result, rate),
        figures.probabilities(result.before.probabilities, result.probabilities),
        figures.waveforms(clean, perturbed, rate),
        figures.spectrogram(clean, clean, rate, title="clean"),
        figures.spectrogram(perturbed, clean, rate, title="perturbed"),
        figures.spectrogram(
            result.perturbation, clean, rate, title="difference: the perturbation alone"
        ),
        *_judged(classifier, clip, result, record, seed),
    ]


def _judged(
    classifier: Classifier, clip: Clip, result: PerturbedClip, record: dict, seed: int
) -> list:
    """The exhibits and what the clip hides; nothing where there is no perturbation."""
    if not result.difference.linf:
        caption = verdicts.caption("There is no perturbation, and so nothing to judge.")
        return [None, None, caption, gr.update(visible=False), gr.skip(), None, None]
    rate, clean = clip.sample_rate, result.clean
    side_by_side = exhibits(classifier, clean, result.perturbed, seed=seed)
    heard = figures.audibility(clean.cpu(), result.perturbation.cpu(), rate)
    frames = heard.ratio_db.shape[1]
    first_s, second_s, worst_s, last_s = (
        round(heard.time_s(frame), 3) for frame in (0, 1, heard.worst_frame, frames - 1)
    )
    cursor = gr.update(
        minimum=first_s, maximum=last_s, value=worst_s, step=round(second_s - first_s, 3),
        visible=frames > 1,
    )  # fmt: skip
    return [
        convert.exhibit_tracks(clean, side_by_side, rate),
        verdicts.exhibits_words(side_by_side, record),
        verdicts.audibility_words(heard),
        cursor,
        heard,
        *_masking_pictures(heard, heard.worst_frame),
    ]
