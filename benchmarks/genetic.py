"""The genetic search's evaluations per second, beside the way it was first done.

    pip install deap==1.4.4
    python -m benchmarks.genetic

That way (R. Eaton's course project, *Sonic Subterfuge*): DEAP's loop, an individual is an STFT,
librosa's descriptors, scikit-learn's `predict_proba`, one individual at a time. Both search on the
same 2 s clip, by turns, towards the same label, with a population of 25 and 50 children;
scikit-learn's machine is of the kind and size of `instruments-svm`.
"""

import argparse
import random
import time
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import librosa
import numpy as np
import torch

from robustaudio.attacks import Genetic, genetic
from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.representations.descriptors import FRAMING
from robustaudio.threats.criterion import TargetedMisclassification
from robustaudio.threats.norms import L2
from robustaudio.threats.threat_model import threat_at

CLASSIFIER, CLIP, TARGET = "instruments-svm", BUNDLED / "violin-sigh.wav", "trumpet"
POPULATION, OFFSPRING, LEVEL_DB = 25, 50, -20.0
TURNS = 3
TOUCHED = 8  # frames, of 87: by a mutation of a fifth of a second
N_FFT, HOP = FRAMING.n_fft, FRAMING.hop_length


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=2500)
    parser.add_argument("--generations", type=int, default=2, help="of the first way")
    parser.add_argument("--at-once", type=int, help="candidates judged together on a CPU")
    arguments = parser.parse_args()
    genetic.ON_CPU = arguments.at_once or genetic.ON_CPU
    classifier = load_classifier(CLASSIFIER)
    x = classifier.prepare(Clip.load(CLIP)).samples
    first = first_way(classifier, x, arguments.generations)
    show_parts(classifier, x)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    ours = {device: our_way(device, x, arguments.queries) for device in devices}
    rates: dict[str, list[float]] = {"first way": [], **{f"ours, {d}": [] for d in devices}}
    for _ in range(TURNS):
        if first:
            rates["first way"].append(first())
        for device in devices:
            rates[f"ours, {device}"].append(ours[device]())
    print(f"{torch.get_num_threads()} threads, evaluations per second, median of {TURNS} turns")
    for name, measured in rates.items():
        if measured:
            times = f"{median(measured) / median(rates['first way']):.1f} x" if first else ""
            seconds = 2500 / median(measured)
            print(f"{name:12}  {median(measured):8.1f}  {times:8}  2500 in {seconds:.1f} s")


@torch.no_grad()
def show_parts(classifier, x: torch.Tensor, sounds: int = 8) -> None:
    """Milliseconds per sound of an evaluation's parts, the quickest of many runs."""
    batch = x + 0.01 * torch.randn(sounds, len(x), generator=torch.Generator().manual_seed(0))
    spectrum, value = torch.fft.rfft(batch.unfold(-1, N_FFT, HOP)), batch
    parts: dict[str, Callable] = {
        "transform of all frames": lambda: torch.fft.rfft(batch.unfold(-1, N_FFT, HOP)),
        "its inverse": lambda: torch.fft.irfft(spectrum),
    }
    few = batch[:, : N_FFT + (TOUCHED - 1) * HOP]
    parts[f"descriptors of {TOUCHED} frames"] = partial(classifier.stages["descriptors"], few)
    for name, stage in [*classifier.stages.items(), ("machine", classifier.network)]:
        parts[name] = partial(stage, value)
        value = stage(value)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times = {name: quickest(part) * 1e3 / sounds for name, part in parts.items()}
    torch.set_num_threads(threads)
    print("one thread, ms per sound:", ", ".join(f"{name} {ms:.3f}" for name, ms in times.items()))


def quickest(part: Callable, turns: int = 50) -> float:
    seconds = []
    for _ in range(turns):
        started = time.perf_counter()
        part()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def our_way(device: str, x: torch.Tensor, queries: int) -> Callable[[], float]:
    classifier = load_classifier(CLASSIFIER, device)
    batch = x[None].to(device)
    target = torch.tensor([classifier.label_index(TARGET)], device=device)
    attack = Genetic(queries, population=POPULATION, offspring=OFFSPRING, stops=False)
    threat = threat_at(classifier, batch, LEVEL_DB, L2)

    def run() -> float:
        rng, started = torch.Generator(device).manual_seed(0), time.perf_counter()
        result = attack(classifier, batch, TargetedMisclassification(target), threat, generator=rng)
        float(result.distance[0])  # until a GPU is done
        return queries / (time.perf_counter() - started)

    return run


def first_way(classifier, x: torch.Tensor, generations: int) -> Callable[[], float] | None:
    """None where DEAP is not installed."""
    try:
        from deap import algorithms, base, creator, tools  # type: ignore[import-not-found]
    except ImportError:
        print("DEAP is not installed: only ours is measured")
        return None
    clean, rate = x.numpy(), classifier.sample_rate
    proba, target = sklearn_machine(classifier), classifier.label_index(TARGET)
    creator.create("Fitness", base.Fitness, weights=(1.0,))
    creator.create("Individual", list, fitness=creator.Fitness)
    spectrum = librosa.stft(clean)

    def evaluate(individual) -> tuple[float]:
        sound = librosa.istft(individual[0], length=len(clean))
        probability = proba(descriptors(sound, rate))[target]
        return (float(probability - np.sqrt(np.mean((sound - clean) ** 2))),)

    def mutate(individual):
        individual[0] = individual[0] + np.random.normal(0, 0.05, individual[0].shape)
        return (individual,)

    def mate(one, other):
        mean = (one[0] + other[0]) / 2
        one[0], other[0] = mean, mean.copy()
        return one, other

    box = base.Toolbox()
    box.register("evaluate", evaluate)
    box.register("mate", mate)
    box.register("mutate", mutate)
    box.register("select", tools.selTournament, tournsize=3)

    def run() -> float:
        random.seed(0)
        np.random.seed(0)
        population = [creator.Individual([spectrum.copy()]) for _ in range(POPULATION)]
        started, logbook = time.perf_counter(), None
        _, logbook = algorithms.eaMuPlusLambda(
            population, box, POPULATION, OFFSPRING, 0.7, 0.2, generations, verbose=False
        )
        return sum(logbook.select("nevals")) / (time.perf_counter() - started)

    run()  # librosa compiles
    return run


def descriptors(sound: np.ndarray, rate: int) -> np.ndarray:
    """librosa's, one call each, and the statistics that the machine was trained on."""
    feature = librosa.feature
    rows = np.concatenate([
        feature.rms(y=sound), feature.spectral_centroid(y=sound, sr=rate),
        feature.spectral_bandwidth(y=sound, sr=rate), feature.spectral_rolloff(y=sound, sr=rate),
        feature.zero_crossing_rate(sound), feature.mfcc(y=sound, sr=rate),
    ])  # fmt: skip
    return np.concatenate([rows.mean(1), rows.std(1), np.abs(np.diff(rows)).mean(1)])


def sklearn_machine(classifier) -> Callable[[np.ndarray], np.ndarray]:
    """scikit-learn's own pipeline of the same size, trained on what the classifier holds."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    standardise, machine = classifier.stages["standardised"], classifier.network[0]
    vectors = machine.vectors * standardise.scale + standardise.mean
    with torch.no_grad():
        heard = machine(machine.vectors).argmax(1).numpy()
    options: Any = {"gamma": float(machine.gamma), "probability": True}
    model = make_pipeline(StandardScaler(), SVC(C=100, **options))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(vectors.numpy(), heard)
    return lambda features: model.predict_proba(features[None])[0]


if __name__ == "__main__":
    main()
