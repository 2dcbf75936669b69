"""Hear and break: perturb the clip, hear it beside the clean one, see what changed."""

from collections.abc import Iterator
from dataclasses import replace

import gradio as gr

from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.exhibits import exhibits
from robustaudio.evaluation.results import AttackedClip, PerturbedClip, to_json
from robustaudio.threats.noise import audible_representations
from robustaudio.threats.norms import norm_named
from robustaudio.ui import figures
from robustaudio.ui.downloads import download, download_report
from robustaudio.ui.errors import in_place
from robustaudio.ui.events import NO_FILE, QUIET, Update, fresh
from robustaudio.ui.jobs import Run, on_click
from robustaudio.ui.sources import NoClip
from robustaudio.ui.tabs.masking import Masking
from robustaudio.ui.tracks import exhibit_tracks, player_tracks
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.attack_controls import START_AT, build_controls
from robustaudio.ui.widgets.basic import file_button, words
from robustaudio.ui.widgets.live_search import Live, pictured
from robustaudio.ui.widgets.player import Player
from robustaudio.ui.wish import METHODS
from robustaudio.ui.words.hear_and_break import exhibits_words, perturbation_words, search_words
from robustaudio.ui.words.terms import BY_ITSELF, Ending, level_relative_to


class HearAndBreak:
    """The tab's widgets; `controls` say what is wanted, the others show a result."""

    def __init__(self, target: gr.Dropdown) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                self.controls = build_controls(target)
            with gr.Column(scale=5, min_width=320):
                self.controls.buttons.old.render()
                self.verdict = words("perturb-words")
                self.player = Player(
                    elem_id="player", hint="Clean, perturbed and difference play here."
                )
                self.probabilities = gr.Plot(show_label=False, elem_id="probabilities")
                self.waveforms = gr.Plot(show_label=False, elem_id="waveforms")
                with gr.Accordion("Same size, different sound", elem_id="exhibits"):
                    self.exhibits = Player(
                        elem_id="exhibits-player", hint="Three perturbations, side by side."
                    )
                    self.exhibits_words = words("exhibits-words")
        with gr.Row():
            self.clean, self.perturbed, self.difference = (
                gr.Plot(show_label=False, min_width=300, elem_id=f"spectrogram-{name}")
                for name in ("clean", "perturbed", "difference")
            )
        self.masking = Masking()
        with gr.Row():
            self.subtype = gr.Radio(
                [("32-bit float", "FLOAT"), ("24 bit", "PCM_24")], value="FLOAT", label="WAV format"
            )
            self.wav = file_button("Perturbed clip (WAV)", "download-wav")
            self.report = file_button("Report (JSON)", "download-report")

    @property
    def emptied(self) -> Update:
        """What a new clip leaves; the verdict first."""
        shown = [
            self.verdict, self.player, self.probabilities, self.waveforms, self.clean,
            self.perturbed, self.difference, self.exhibits, self.exhibits_words,
        ]  # fmt: skip
        return {
            **dict.fromkeys(shown), **self.masking.emptied, self.wav: NO_FILE, self.report: NO_FILE,
            self.controls.search: gr.update(value=None, visible=False),
        }  # fmt: skip

    def shows(
        self, classifier: Classifier, clip: Clip, result: PerturbedClip, seed: int,
        truth: str | None = None, ending: Ending = BY_ITSELF,
    ) -> Update:  # fmt: skip
        """Words, players and pictures of a result; nothing is judged where nothing has changed."""
        rate, clean, perturbed = clip.sample_rate, result.clean, result.perturbed
        probabilities = figures.probabilities(result.before.probabilities, result.probabilities)
        shown = {
            self.verdict: perturbation_words(result, truth, ending),
            self.player: player_tracks(result, rate),
            self.probabilities: probabilities,
            self.waveforms: figures.waveforms(clean, perturbed, rate),
            self.clean: figures.spectrogram(clean, clean, rate, title="clean"),
            self.perturbed: figures.spectrogram(perturbed, clean, rate, title="perturbed"),
            self.difference: figures.spectrogram(
                result.perturbation, clean, rate, title="difference: the perturbation alone"
            ),
        }
        if not result.difference.linf:
            nothing = {self.exhibits: None, self.exhibits_words: None}
            return shown | nothing | self.masking.shows(None)
        side_by_side = exhibits(classifier, clean, perturbed, seed=seed)
        audibility = figures.audibility(clean.cpu(), result.perturbation.cpu(), rate)
        return {
            **shown,
            self.exhibits: exhibit_tracks(clean, side_by_side, rate),
            self.exhibits_words: exhibits_words(side_by_side, result),
            **self.masking.shows(audibility),
        }


def build_hear_and_break(visit: Visit, starts: list, changed: list) -> Update:
    """The tab, which runs on its button and on every event of `starts`.

    Returns what a new clip empties, and how.
    """
    tab = HearAndBreak(visit.target)
    controls, at = tab.controls, tab.controls.wish["representation"]

    def offer(values: Update) -> Update:
        """The representations that the classifier has and that can be heard."""
        classifier = visit.services.classifiers[values[visit.classifier]]
        audible = audible_representations(classifier)
        return {at: gr.Radio(audible, value=values[at] if values[at] in audible else START_AT)}

    gr.on(changed, offer, {visit.classifier, at}, at, **QUIET)

    def perturb(run: Run) -> Iterator[Update]:
        wish = controls.read(run.values)
        try:
            opened = run.open()
        except NoClip as error:
            yield {**fresh(tab.emptied), tab.verdict: in_place(error)}
            return
        classifier, clip = opened.classifier, opened.clip
        relative_to = level_relative_to(norm_named(wish.norm), wish.representation)
        live = Live(classifier, clip, f"dB of {relative_to}", tab.verdict, tab.player,
                    controls.search)  # fmt: skip
        result = yield from run.result(
            lambda progress: wish.run(classifier, clip, progress),
            lambda steps: search_words(METHODS[wish.method], steps, relative_to),
            live.update,
        )
        on_cpu = replace(result, clean=result.clean.cpu(), perturbed=result.perturbed.cpu())
        history = result.course if isinstance(result, AttackedClip) else ()
        path = run.folder / f"{opened.file_name('perturbed')}.wav"
        file = opened.save(result, path, run[tab.subtype])
        report = opened.report(wish.verb, wish.flags, to_json(result) | run.record | file)
        yield {
            **tab.shows(classifier, clip, result, wish.seed, run.source.label, run.ending),
            tab.wav: download(path),
            tab.report: download_report(run.folder, opened.file_name(wish.verb), report),
            controls.search: pictured(history, live.unit),
            visit.perturbed: on_cpu,
        }

    return on_click(
        visit, controls.buttons, perturb, [tab.subtype, *controls.inputs],
        {**tab.emptied, visit.perturbed: None},
        also_on=starts, live=[controls.search], asked=controls.asked(tab.subtype),
    )  # fmt: skip
