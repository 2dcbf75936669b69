"""The recipes behind the shipped checkpoints: every setting and seed, in one place."""

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from robustaudio import __version__
from robustaudio.audio.datasets import Dataset
from robustaudio.audio.tasks import DIGITS, INSTRUMENTS, Task
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.card import Card, Training
from robustaudio.classifiers.checkpoints import save_classifier
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import Cnn, Cnn2d, DeepCnn, Lstm
from robustaudio.classifiers.stages import LogMelStages
from robustaudio.representations.spectral import Framing, MelScale
from robustaudio.threats.norms import LINF, MASKING, Norm
from robustaudio.training.corpora import Corpus, corpus_of
from robustaudio.training.loop import Schedule, train
from robustaudio.training.objectives import Objective, Plain, UnderNoise, WorstCase
from robustaudio.training.svm import SvmRecipe
from robustaudio.training.trained import Log, Trained

LICENCE = "CC-BY-SA-4.0"  # of the weights
CNN = Architecture(DIGITS.labels, 8_000, 8_000, LogMelStages(Framing(unitary=True)), Cnn())
DEEP_CNN = Architecture(
    DIGITS.labels, 8_000, 8_000,
    LogMelStages(Framing(n_fft=512, unitary=True), MelScale(n_mels=40)), DeepCnn(width=128),
)  # fmt: skip
NOISE_SCHEDULE = Schedule(
    epochs=150, learning_rate=2e-3, final_rate=0.01, decay=0.7, clip_gradient=5.0,
    weight_decay=1e-3, max_shift_s=0.05, max_tempo=0.1,
)  # fmt: skip
BALANCED = replace(CNN, stages=replace(CNN.stages, floor=0.4), network=Cnn(width=192))
STRONG = replace(CNN, stages=replace(CNN.stages, floor=0.6), network=Cnn(width=192))
# 16 ms frames: the masking model knows no time, so its frames must not be longer than hearing's
INAUDIBLE = replace(
    CNN,
    stages=LogMelStages(
        Framing(n_fft=128, hop_length=80, unitary=True), compression="log", floor=1e-5
    ),
    network=Cnn(width=256, convolutions=((17, 8),), thresholds=4),
)
CERTIFIED_SCHEDULE = Schedule(epochs=100, learning_rate=2e-3, max_tempo=0.1)
LSTM = Architecture(
    DIGITS.labels, 8_000, 8_000,
    LogMelStages(
        Framing(window="hamming", pre_emphasis=0.97, unitary=True), MelScale(n_mels=16),
        compression="log", floor=1e-3, n_mfcc=16, lifter=22,
    ),
    Lstm(width=40),
)  # fmt: skip
SPECTRAL_CNN = Architecture(
    INSTRUMENTS.labels, 22_050, 44_100,
    LogMelStages(
        Framing(n_fft=1024, hop_length=512, unitary=True),
        MelScale(22_050, n_mels=64, f_max=11_025.0), compression="log", floor=1e-6,
    ),
    Cnn2d(width=24),
)  # fmt: skip
SPECTRAL_SCHEDULE = Schedule(
    epochs=40, learning_rate=3e-3, final_rate=0.01, decay=0.8, clip_gradient=5.0,
    weight_decay=1e-4, max_shift_s=0.2, max_tempo=0.06, background_db=-60.0,
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """One network. `rendered` is how often the rendered sounds appear beside the recordings."""

    name: str
    about: str
    architecture: Architecture
    objective: Objective
    schedule: Schedule
    rendered: int = 1
    seed: int = 0
    task: Task = DIGITS

    def train(self, corpus: Corpus, device: str, log: Log) -> Trained:
        """The network after its schedule, on the CPU."""
        torch.manual_seed(self.seed)
        classifier = self.architecture.build(self.name)
        recorded = classifier.prepare_dataset(corpus.recorded)
        rendered = classifier.prepare_dataset(corpus.rendered)
        x, y = (
            torch.cat([of_recorded] + [of_rendered] * self.rendered)
            for of_recorded, of_rendered in zip(recorded, rendered, strict=True)
        )
        log(f"{self.name}: {len(y)} training clips")
        generator = torch.Generator(device).manual_seed(self.seed)
        train(
            classifier.to(device), x.to(device), y.to(device), self.objective, self.schedule,
            generator=generator, log=log,
        )  # fmt: skip
        training = Training(objective=_settings(self.objective), schedule=asdict(self.schedule))
        data = f"{self.task.data.about} x {self.rendered}; {len(y)} clips in all"
        return Trained(classifier.cpu(), self.architecture, training, data)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("digits-cnn", "CNN on compressed mel energies, trained plainly.",
               CNN, Plain(), Schedule(epochs=60, max_tempo=0.1), rendered=2),
        Recipe("digits-cnn-ibp", "The same CNN, trained on its interval bounds up to -56 dB.",
               CNN, WorstCase(-56.0, ramp="epsilon", ramp_from=0.1),
               Schedule(epochs=200, max_tempo=0.1), rendered=2),
        Recipe("digits-cnn-noise", "A deeper CNN, trained under Gaussian noise of sigma 0.25.",
               DEEP_CNN, UnderNoise(0.25), NOISE_SCHEDULE),
        Recipe("digits-lstm", "Dense layer and LSTM on MFCC, trained plainly (PROVER's network).",
               LSTM, Plain(), Schedule(epochs=60, learning_rate=2e-3, max_tempo=0.1)),
        Recipe("digits-lstm-ibp", "The same LSTM, trained on its interval bounds up to -74 dB.",
               LSTM, WorstCase(-74.0), Schedule(epochs=60, learning_rate=2e-3, max_tempo=0.1)),
        Recipe("digits-balanced", "CNN that stays accurate, trained on its bounds up to -46 dB.",
               BALANCED, WorstCase(-46.0, ramp="epsilon", ramp_from=0.1), CERTIFIED_SCHEDULE,
               rendered=2),
        Recipe("digits-strong", "CNN for large perturbations, trained on its bounds up to -36 dB.",
               STRONG, WorstCase(-36.4, ramp="epsilon", ramp_from=0.1),
               replace(CERTIFIED_SCHEDULE, epochs=130)),
        Recipe("digits-inaudible",
               "CNN of soft thresholds, trained on its bounds over the masking set up to +1 dB.",
               INAUDIBLE,
               WorstCase(1.0, ramp="epsilon", ramp_from=0.1, ramp_until=0.6, norm=MASKING),
               replace(CERTIFIED_SCHEDULE, epochs=160, max_shift_s=0.03)),
        Recipe("instruments-cnn", "CNN over time and frequency on log-mel energies.",
               SPECTRAL_CNN, Plain(label_smoothing=0.05), SPECTRAL_SCHEDULE, task=INSTRUMENTS),
        SvmRecipe("instruments-svm", "Support vector machine on statistics of timbre descriptors."),
        SvmRecipe("instruments-svm-noise", "The same, trained with noise on 30 % of the clips.",
                  noisy=0.3),
        SvmRecipe("instruments-svm-denoise",
                  "The same behind noise reduction, in training and in use.", denoise=True),
    )
}  # fmt: skip
CERTIFIED = tuple(
    r.name for r in RECIPES.values() if isinstance(r, Recipe) and isinstance(r.objective, WorstCase)
)
# what a card says of the test split, by CROWN-IBP
REPORTED_DB = (
    (LINF, (-90.0, -80.0, -70.0, -60.0, -50.0, -40.0, -36.0)),
    (MASKING, (-12.0, -6.0, 0.0)),
)


def run(
    recipe: Recipe | SvmRecipe, folder: Path, *, device: str = "cpu", log: Log = lambda line: None
) -> Classifier:
    """Trains a recipe and writes checkpoint and card into `folder`.

    Raises:
        ValueError: if a data set is not at hand.
    """
    started, corpus = time.monotonic(), corpus_of(recipe.task)
    trained = recipe.train(corpus, device, log)
    classifier = trained.classifier
    accuracies: dict[str, Any] = {
        "validation_accuracy": _accuracy(classifier, corpus.validation),
        "rendered_accuracy": _accuracy(classifier, corpus.rendered_validation),
        "bundled_accuracy": _accuracy(classifier, corpus.bundled),
    }
    log("  ".join(f"{name} {share:.4f}" for name, share in accuracies.items()))
    accuracies["test_accuracy"] = _accuracy(classifier, corpus.test)
    verified_validation = verified = None
    if recipe.name in CERTIFIED:
        verified_validation = _verified(classifier, corpus.validation)
        verified = _verified(classifier, corpus.test)
        log("  ".join(f"{k} {v:.4f}" for k, v in verified_validation.items()))
    card = Card(
        name=recipe.name,
        task=recipe.task.name,
        architecture=trained.architecture,
        sha256="",
        about=recipe.about,
        representations=classifier.representations,
        **accuracies,
        verified_validation=verified_validation,
        verified=verified,
        test=f"{recipe.task.data.about_test}, {len(corpus.test)} clips, all of them",
        data=trained.data,
        licence=LICENCE,
        attribution=recipe.task.data.attribution,
        training=replace(
            trained.training,
            command=f"python -m robustaudio train {recipe.name}"
            + (f" --seed {recipe.seed}" if recipe.seed else ""),
            seed=recipe.seed,
            seconds=round(time.monotonic() - started),
            device=device,
            threads=torch.get_num_threads(),
            torch=str(torch.__version__),
            robustaudio=__version__,
            date=datetime.now(UTC).date().isoformat(),
        ),
    )
    save_classifier(classifier, trained.architecture, card.to_json(), folder)
    return classifier


def _settings(objective: Objective) -> dict:
    """An objective's kind and options, as a card has them: a norm by its name."""
    options = {k: v.name if isinstance(v, Norm) else v for k, v in vars(objective).items()}
    return {"kind": type(objective).__name__, **options}


def _verified(classifier: Classifier, dataset: Dataset) -> dict[str, float]:
    """Verified accuracy by CROWN-IBP, per threat and level."""
    x, y = classifier.prepare_dataset(dataset)
    verifier = Verifier(classifier, method="crown")
    correct = verifier.predict(x) == y
    return {
        f"{norm} {level:g} dB": float(
            (correct & verifier.verified_at(x, y, level, norm)).double().mean()
        )
        for norm, levels in REPORTED_DB
        for level in levels
    }


@torch.no_grad()
def _accuracy(classifier: Classifier, dataset: Dataset) -> float:
    x, y = classifier.prepare_dataset(dataset)
    return float((classifier(x).argmax(-1) == y).double().mean())
