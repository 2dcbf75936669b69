"""Hear and break: perturb the clip, hear it beside the clean one, see what changed."""

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from typing import Any, cast

import gradio as gr
from gradio.components import Component

from robustaudio.attacks import ATTACKS
from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation import figures
from robustaudio.evaluation.attack import attack_clip
from robustaudio.evaluation.clips import Progress
from robustaudio.evaluation.noise import noise_clip
from robustaudio.evaluation.perturbed import PerturbedClip
from robustaudio.evaluation.report import make_report, save_perturbed
from robustaudio.threats.noise import AUDIBLE
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import MEASURE_PLOTS, QUIET, start_and_cancel, wire, words
from robustaudio.ui.convert import ANY_OTHER, Services, Source
from robustaudio.ui.jobs import EXPECTED, one_sentence, stream
from robustaudio.ui.player import Player

NOISE = "Gaussian noise"
METHODS = {"PGD": "pgd", "FGSM": "fgsm", NOISE: "noise"}
NORMS = {"L∞ (largest sample)": "linf", "L2 (energy)": "l2"}
START_LEVEL_DB, START_SIGMA, MAX_SIGMA = -45, 0.1, 1_000


@dataclass(frozen=True)
class Wish:
    """What a visitor asked for: the values of the tab's widgets, in their order."""

    method: str
    norm: str
    level_db: float
    target: str
    representation: str
    sigma: float
    seed: int
    options: dict[str, Any]

    @property
    def kind(self) -> str:
        return METHODS[self.method]

    def run(self, classifier: Classifier, clip: Clip, progress: Progress) -> PerturbedClip:
        """The perturbation, by the same back-end function that the command line calls."""
        if self.kind == "noise":
            return noise_clip(
                classifier, clip.samples,
                representation=self.representation, sigma=self.sigma, seed=self.seed,
            )  # fmt: skip
        target = None if self.target == ANY_OTHER else classifier.label_index(self.target)
        return attack_clip(
            classifier, clip.samples, ATTACKS[self.kind](**self._attack_options()),
            norm=NORMS[self.norm], level_db=self.level_db, target=target, seed=self.seed,
            progress=progress,
        )  # fmt: skip

    def command(self, source: Source, classifier: str) -> list[str]:
        """The command that makes the same perturbation."""
        if self.kind == "noise":
            options = {"representation": self.representation, "sigma": self.sigma}
            return convert.command_line("noise", source, classifier, options | {"seed": self.seed})
        options = {
            "attack": self.kind, "norm": NORMS[self.norm], "level_db": self.level_db,
            "target": None if self.target == ANY_OTHER else self.target,
            **self._attack_options(), "seed": self.seed,
        }  # fmt: skip
        return convert.command_line("attack", source, classifier, options)

    def _attack_options(self) -> dict[str, Any]:
        return {f.name: self.options[f.name] for f in fields(ATTACKS[self.kind])}


def build_explore(
    services: Services, source: gr.State, classifier: gr.Dropdown, changed: list
) -> None:
    """The tab; it runs on its button and on every event of `changed`."""
    labels = list(next(iter(services.classifiers.values())).labels)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            method = gr.Radio(list(METHODS), value="PGD", label="Perturbation", elem_id="method")
            with gr.Column(elem_classes="ra-tight") as of_attacks:
                norm = gr.Radio(list(NORMS), value=next(iter(NORMS)), label="Norm", elem_id="norm")
                level_db = gr.Slider(
                    -100, 0, START_LEVEL_DB, step=1, label="Level (dB)", elem_id="level",
                    info="relative to the clip's peak (L∞) or to its energy (L2)",
                )  # fmt: skip
                target = gr.Dropdown(
                    [ANY_OTHER, *labels], value=ANY_OTHER, label="Make it hear", elem_id="target"
                )
            with gr.Accordion("PGD options", open=False) as of_pgd:
                options = {f.name: _widget(f) for f in fields(ATTACKS["pgd"])}
            with gr.Column(visible=False, elem_classes="ra-tight") as of_noise:
                representation = gr.Radio(
                    list(AUDIBLE), value="waveform", label="Added to", elem_id="representation"
                )
                sigma = gr.Number(
                    START_SIGMA, label="σ", minimum=0, maximum=MAX_SIGMA, step=0.01,
                    elem_id="sigma",
                    info="standard deviation in the representation's own units (the peak is 1)",
                )  # fmt: skip
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed")
            run, stop = start_and_cancel("Perturb", "perturb")
            status = words("perturb-status")
        with gr.Column(scale=5, min_width=320):
            verdict = words("perturb-words")
            player = Player(elem_id="player", hint="The first result is on its way.")
            probabilities = gr.Plot(show_label=False, elem_id="probabilities")
    waveforms = gr.Plot(show_label=False, elem_id="waveforms")
    with gr.Row():
        spectrograms = [
            gr.Plot(show_label=False, min_width=300, elem_id=f"spectrogram-{name}")
            for name in ("clean", "perturbed", "difference")
        ]
    with gr.Accordion("Masking: what the clip hides", open=True, elem_id="masking") as hidden:
        audibility = words("masking-words")
        with gr.Row():
            masking = [
                gr.Plot(show_label=False, min_width=300, elem_id=f"masking-{name}")
                for name in ("spectrum", "ratio")
            ]
    hidden.expand(None, js=MEASURE_PLOTS, **QUIET)
    with gr.Row():
        subtype = gr.Radio(
            [("32-bit float", "FLOAT"), ("24 bit", "PCM_24")], value="FLOAT", label="WAV format"
        )
        wav = gr.DownloadButton("Perturbed clip (WAV)", interactive=False, elem_id="download-wav")
        report = gr.DownloadButton("Report (JSON)", interactive=False, elem_id="download-report")
    method.change(
        lambda m: [gr.update(visible=v) for v in (m != NOISE, m == "PGD", m == NOISE)],
        method, [of_attacks, of_pgd, of_noise],
        **QUIET,
    )  # fmt: skip
    pictures = [probabilities, waveforms, *spectrograms, audibility, *masking]
    outputs = [verdict, player, *pictures, wav, report, status]

    def perturb(source: Source, classifier: str, subtype: str, *widgets: Any) -> Iterator[list]:
        nothing = [gr.skip()] * (len(outputs) - 1)
        try:
            settings = dict(zip(options, widgets[7:], strict=True))
            convert.required(level_db=widgets[2], sigma=widgets[5], seed=widgets[6], **settings)
            wish = Wish(*widgets[:7], options=settings)
            chosen, clip = convert.open_source(services, source, classifier)
            command = wish.command(source, classifier)
            for share, result in stream(lambda progress: wish.run(chosen, clip, progress)):
                if result is None:
                    yield [*nothing, verdicts.progress_bar(share, wish.method)]
                    continue
                with convert.scratch_folder() as folder:
                    path = folder / f"{source.path.stem}-{chosen.name}-perturbed.wav"
                    file = save_perturbed(chosen, clip, result, path, subtype)
                    record = {**result.record, **file, "output": path.name}
                    report = convert.report_file(folder, make_report(chosen, clip, command, record))
                    files = [
                        gr.DownloadButton(value=str(f), interactive=True) for f in (path, report)
                    ]
                    yield [*_shown(chosen, clip, result), *files, ""]
        except EXPECTED as error:
            yield [*nothing, ""]
            raise one_sentence(error) from None

    wishes = [method, norm, level_db, target, representation, sigma, seed, *options.values()]
    inputs = [source, classifier, subtype, *wishes]
    wire([*changed, run.click], stop, perturb, inputs, outputs, status)


def _shown(classifier: Classifier, clip: Clip, result: PerturbedClip) -> list:
    """Words, player and pictures of a result, in the order of the tab's outputs."""
    rate, clean, perturbed = clip.sample_rate, result.clean, result.perturbed
    before = classifier.probabilities(clean[None])[0].tolist()
    heard = figures.audibility(clean, result.perturbation, rate)
    return [
        verdicts.perturbation_words(result.record),
        convert.player_tracks(result, rate),
        figures.probabilities(
            dict(zip(classifier.labels, before, strict=True)), result.record["probabilities"]
        ),
        figures.waveforms(clean, perturbed, rate),
        figures.spectrogram(clean, clean, rate, title="clean"),
        figures.spectrogram(perturbed, clean, rate, title="perturbed"),
        figures.spectrogram(
            result.perturbation, clean, rate, title="difference: the perturbation alone"
        ),
        verdicts.audibility_words(heard),
        figures.masking_spectrum(heard),
        figures.noise_to_mask(heard),
    ]


def _widget(option: Field) -> Component:
    """A widget for a field of an attack: its default, help and range stand with the field."""
    label, default = option.name.replace("_", " "), cast(Any, option.default)
    about = option.metadata["help"]
    if option.type is bool:
        return gr.Checkbox(default, label=label, info=about)
    low, high = option.metadata["range"]
    step = 1 if option.type is int else 0.01
    return gr.Slider(max(low, step), high, default, step=step, label=label, info=about)
