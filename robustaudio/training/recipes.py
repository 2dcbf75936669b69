"""The recipes behind the shipped checkpoints: every setting and seed, in one place."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from robustaudio import __version__
from robustaudio.audio.datasets import Dataset, open_dataset
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers.checkpoints import save_classifier
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import Architecture, build
from robustaudio.representations.spectral import Framing, MelScale
from robustaudio.training.loop import Schedule, train
from robustaudio.training.objectives import Objective, Plain, UnderNoise, WorstCase

DIGITS = tuple("0123456789")
# FSDD's recordings by index: 0-4 are the test split, 5-9 were held out to choose settings on
TRAINING_INDICES, VALIDATION_INDICES = range(10, 45), range(5, 10)
LICENCE = "CC-BY-SA-4.0"

CNN = Architecture(DIGITS, sample_rate=8_000, length=8_000, framing=Framing(unitary=True))
DEEP_CNN = Architecture(
    DIGITS,
    sample_rate=8_000,
    length=8_000,
    framing=Framing(n_fft=512, unitary=True),
    mel=MelScale(n_mels=40),
    network="deep_cnn",
    width=128,
)
NOISE_SCHEDULE = Schedule(
    epochs=150, learning_rate=2e-3, final_rate=0.01, decay=0.7, clip_gradient=5.0,
    weight_decay=1e-3, max_shift_s=0.05, max_tempo=0.1,
)  # fmt: skip
BALANCED = replace(CNN, floor=0.4, width=192)
STRONG = replace(CNN, floor=0.6, width=192)
# 16 ms frames: the masking model knows no time, so its frames must not be longer than hearing's
INAUDIBLE = replace(
    CNN, framing=Framing(n_fft=128, hop_length=80, unitary=True), compression="log", floor=1e-5,
    width=256, convolutions=((17, 8),), thresholds=4,
)  # fmt: skip
CERTIFIED_SCHEDULE = Schedule(epochs=100, learning_rate=2e-3, max_tempo=0.1)
LSTM = Architecture(
    DIGITS,
    sample_rate=8_000,
    length=8_000,
    framing=Framing(window="hamming", pre_emphasis=0.97, unitary=True),
    mel=MelScale(n_mels=16),
    compression="log",
    floor=1e-3,
    n_mfcc=16,
    lifter=22,
    network="lstm",
    width=40,
)


@dataclass(frozen=True)
class Recipe:
    """One checkpoint. `rendered` is how often the rendered voices appear beside FSDD's."""

    name: str
    about: str
    architecture: Architecture
    objective: Objective
    schedule: Schedule
    rendered: int = 1
    seed: int = 0
    task: str = "digits"


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
               WorstCase(1.0, ramp="epsilon", ramp_from=0.1, ramp_until=0.6, norm="masking"),
               replace(CERTIFIED_SCHEDULE, epochs=160, max_shift_s=0.03)),
    )
}  # fmt: skip
CERTIFIED = tuple(r.name for r in RECIPES.values() if isinstance(r.objective, WorstCase))
# what a card says of the test split, by CROWN-IBP
REPORTED_DB = {
    "linf": (-90.0, -80.0, -70.0, -60.0, -50.0, -40.0, -36.0),
    "masking": (-12.0, -6.0, 0.0),
}


def run(
    recipe: Recipe,
    folder: Path,
    *,
    device: str = "cpu",
    log: Callable[[str], None] = lambda line: None,
) -> Classifier:
    """Trains a recipe and writes checkpoint and card into `folder`.

    Raises:
        ValueError: if a data set is not at hand.
    """
    started = time.monotonic()
    fsdd, rendered = open_dataset("fsdd"), open_dataset("rendered")
    torch.manual_seed(recipe.seed)
    classifier = build(recipe.architecture, recipe.name)
    spoken = _with_indices(fsdd.select("train"), TRAINING_INDICES)
    held_out = _with_indices(fsdd.select("train"), VALIDATION_INDICES)
    x, y = classifier.prepare_dataset(spoken)
    extra_x, extra_y = classifier.prepare_dataset(rendered.select("train"))
    x, y = (
        torch.cat([x] + [extra_x] * recipe.rendered),
        torch.cat([y] + [extra_y] * recipe.rendered),
    )
    log(f"{recipe.name}: {len(y)} training clips")
    train(
        classifier.to(device),
        x.to(device),
        y.to(device),
        recipe.objective,
        recipe.schedule,
        generator=torch.Generator(device).manual_seed(recipe.seed),
        log=log,
    )
    classifier.cpu()
    scores: dict = {
        "validation_accuracy": _accuracy(classifier, held_out),
        "rendered_accuracy": _accuracy(classifier, rendered.select("val")),
        "bundled_accuracy": _accuracy(classifier, open_dataset(f"bundled-{recipe.task}")),
        "test_accuracy": _accuracy(classifier, fsdd.select("test")),
    }
    log("  ".join(f"{name} {score:.4f}" for name, score in scores.items() if "test" not in name))
    if recipe.name in CERTIFIED:
        scores["verified_validation"] = _verified(classifier, held_out)
        scores["verified"] = _verified(classifier, fsdd.select("test"))
        log("  ".join(f"{k} {v:.4f}" for k, v in scores["verified_validation"].items()))
    card = _card(recipe, classifier, scores, len(y), round(time.monotonic() - started), device)
    save_classifier(classifier, recipe.architecture, card, folder)
    return classifier


def _card(
    recipe: Recipe, classifier: Classifier, scores: dict, clips: int, seconds: int, device: str
) -> dict:
    return {
        "name": recipe.name,
        "task": recipe.task,
        "about": recipe.about,
        "labels": list(classifier.labels),
        "sample_rate": classifier.sample_rate,
        "length": classifier.length,
        "representations": list(classifier.representations),
        "gain": f"{classifier.gain_policy}: the clean clip is scaled once, to a peak of 1",
        **scores,
        "test": "FSDD test split (indices 0-4), 300 clips, all of them",
        "data": f"FSDD recordings 10-44 (5-9: validation); rendered voices x "
                f"{recipe.rendered}; {clips} clips in all",
        "licence": LICENCE,
        "attribution": "Trained on the Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0).",
        "training": {
            "command": f"python -m robustaudio train {recipe.name}"
            + (f" --seed {recipe.seed}" if recipe.seed else ""),
            "objective": {"kind": type(recipe.objective).__name__, **asdict(recipe.objective)},
            "schedule": asdict(recipe.schedule),
            "seed": recipe.seed,
            "seconds": seconds,
            "device": device,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "robustaudio": __version__,
            "date": datetime.now(UTC).date().isoformat(),
        },
    }  # fmt: skip


def _with_indices(dataset: Dataset, indices: range) -> Dataset:
    """The recordings <digit>_<speaker>_<index> with one of the indices."""
    rows = (row for row in dataset.rows if int(row["group"].rsplit("_", 1)[1]) in indices)
    return replace(dataset, rows=tuple(rows))


def _verified(classifier: Classifier, dataset: Dataset) -> dict[str, float]:
    """Verified accuracy by CROWN-IBP, per threat and level."""
    x, y = classifier.prepare_dataset(dataset)
    verifier = Verifier(classifier, method="crown")
    correct = verifier.predict(x) == y
    return {
        f"{norm} {level:g} dB": float(
            (correct & verifier.verified_at(x, y, level, norm)).double().mean()
        )
        for norm, levels in REPORTED_DB.items()
        for level in levels
    }


@torch.no_grad()
def _accuracy(classifier: Classifier, dataset: Dataset) -> float:
    x, y = classifier.prepare_dataset(dataset)
    return float((classifier(x).argmax(-1) == y).double().mean())
