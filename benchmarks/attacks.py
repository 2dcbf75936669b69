"""Attacks side by side with other tools': `python -m benchmarks.attacks` prints a table of each.

All attack the same classifier on the same clips in one run, by turns, in one thread; seconds are
the processor's, so that what else a machine does counts for nobody. What they return is classified
again here. The others are optional; their pins of old packages are not to be followed:

    pip install --no-deps torchattacks adversarial-robustness-toolbox foolbox eagerpy GitPython
    pip install gitdb six requests tqdm scikit-learn

They are given a model on [0, 1]: torchattacks knows nothing else, and ART's DeepFool steps too far
by the width of the bounds. Distances are measured in the units of the representation.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from robustaudio import threads
from robustaudio.attacks import ATTACKS
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.batch import generator, load_clips, predictions
from robustaudio.perception.levels import snr_db
from robustaudio.threats.criterion import Criterion, Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF
from robustaudio.threats.threat_model import ThreatModel, threat_at

CLASSIFIER, CLIPS, REPEATS, PGD_STEPS = "digits-cnn", 64, 15, 40
PACKAGES = {"art": "adversarial-robustness-toolbox", "foolbox": "foolbox eagerpy GitPython"}
TINY = 1e-6  # share of the bounds by which a changed feature moved: more than float32 rounds

Attempt = Callable[[], Tensor]  # the adversarial items, in the units of the representation


class UnitModel(nn.Module):
    """The back of a classifier for images: (item, 1, row, column), with values in [0, 1]."""

    def __init__(self, back: nn.Module, low: float, high: float, shape: torch.Size):
        super().__init__()
        self.back, self.low, self.high, self.shape = back, low, high, shape

    def forward(self, image: Tensor) -> Tensor:
        return self.back((self.low + (self.high - self.low) * image).reshape(-1, *self.shape))


@dataclass(frozen=True, eq=False)
class Task:
    """What all tools are to do to the same items: leave the label `goal`, or go to it."""

    back: nn.Module
    x: Tensor
    goal: Tensor
    threat: ThreatModel
    targeted: bool = False

    @property
    def criterion(self) -> Criterion:
        return (TargetedMisclassification if self.targeted else Misclassification)(self.goal)

    @property
    def width(self) -> float:
        return self.threat.bounds[1] - self.threat.bounds[0]

    @property
    def epsilon(self) -> float:
        """The radius on [0, 1]: the same for all clips, whose peak is 1."""
        return float(self.threat.epsilon[0]) / self.width

    @cached_property
    def model(self) -> UnitModel:
        return UnitModel(self.back, *self.threat.bounds, self.x.shape[1:]).eval()

    @cached_property
    def images(self) -> Tensor:
        image = (self.x - self.threat.bounds[0]) / self.width
        return image.reshape(len(image), 1, -1, image.shape[-1])

    def restored(self, images: Tensor) -> Tensor:
        return (self.threat.bounds[0] + self.width * images).reshape(self.x.shape)


def ours(task: Task, name: str, **options) -> Attempt:
    attack = ATTACKS[name](**options)
    given = task.back, task.x, task.criterion, task.threat
    return lambda: attack(*given, generator=generator(0)).adversarial


def torchattacks(task: Task, name: str, **options) -> Attempt:
    attack = getattr(import_module("torchattacks"), name)(task.model, **options)
    if task.targeted:
        attack.set_mode_targeted_by_label(quiet=True)
    return lambda: task.restored(attack(task.images, task.goal))


def art(task: Task, name: str, **options) -> Attempt:
    """In ART's batched mode."""
    wrap = import_module("art.estimators.classification").PyTorchClassifier
    given, shape = (task.model, nn.CrossEntropyLoss()), task.images.shape[1:]
    estimator = wrap(*given, shape, nb_classes=10, clip_values=(0.0, 1.0), device_type="cpu")
    options |= {"batch_size": len(task.x), "verbose": False}
    attack = getattr(import_module("art.attacks.evasion"), name)(estimator, **options)
    images, goal = task.images.numpy(), task.goal.numpy()
    return lambda: task.restored(torch.from_numpy(attack.generate(images, y=goal)))


def foolbox(task: Task, name: str, **options) -> Attempt:
    package = import_module("foolbox")
    model = package.PyTorchModel(task.model, bounds=(0, 1), device="cpu")
    attack = getattr(package.attacks, name)(**options)
    criterion = package.criteria.Misclassification(task.goal)
    within = {"epsilon": task.epsilon} if name == "LinfPGD" else {}
    return lambda: task.restored(attack.run(model, task.images, criterion, **within))


@dataclass(frozen=True)
class Entry:
    """One line of a table: a tool's attack, its options, and whether it is too slow to repeat."""

    tool: Callable[..., Attempt]
    name: str
    settings: str
    options: dict = field(default_factory=dict)
    once: bool = False


def pgd(epsilon: float) -> list[Entry]:
    say, step = f"{PGD_STEPS} steps of eps/10, random start", epsilon / 10
    same = {"steps": PGD_STEPS, "random_start": True}
    arts = {"eps": epsilon, "eps_step": step, "num_random_init": 1, "max_iter": PGD_STEPS}
    return [
        Entry(ours, "pgd", say, {**same, "step_size": 0.1}),
        Entry(torchattacks, "PGD", say, {**same, "eps": epsilon, "alpha": step}),
        Entry(art, "ProjectedGradientDescentPyTorch", say, arts),
        Entry(foolbox, "LinfPGD", say, {**same, "rel_stepsize": 0.1}),
    ]


def deepfool() -> list[Entry]:
    say, same = "50 steps, overshoot 0.02", {"steps": 50, "overshoot": 0.02}
    wide, arts = {"steps": 50, "overshoot": 0.5}, {"max_iter": 50, "epsilon": 0.02, "nb_grads": 10}
    return [
        Entry(ours, "deepfool", say, same),
        Entry(torchattacks, "DeepFool", say, same, once=True),
        Entry(torchattacks, "DeepFool", "50 steps, overshoot 0.5", wide),
        Entry(art, "DeepFool", say, arts, once=True),
        Entry(foolbox, "L2DeepFoolAttack", say, same),
    ]


def carlini_wagner() -> list[Entry]:
    """Defaults, and settings that find quiet perturbations here (c and rate for [0, 1])."""
    quiet = {"c": 0.1, "steps": 500, "lr": 3e-4}
    few = {"binary_search_steps": 5, "max_iter": 10, "initial_const": 0.1}
    adam = {"binary_search_steps": 5, "initial_const": 0.1, "steps": 100, "stepsize": 1e-3}
    short = {"searches": 1, "steps": 30, "initial_c": 100.0, "step_size": 0.05}
    return [
        Entry(ours, "cw", "1 x 30 steps, c from 100", short),
        Entry(ours, "cw", "1 x 8 steps of 0.1", short | {"steps": 8, "step_size": 0.1}),
        Entry(ours, "cw", "defaults: 3 x 50 steps"),
        Entry(torchattacks, "CW", "defaults: c 1, 50 steps, rate 0.01"),
        Entry(torchattacks, "CW", "c 0.1, 500 steps, rate 3e-4", quiet, once=True),
        Entry(art, "CarliniL2Method", "5 x 10 steps, c from 0.1", few, once=True),
        Entry(art, "CarliniL2Method", "defaults: 10 x 10 steps", once=True),
        Entry(foolbox, "L2CarliniWagnerAttack", "5 x 100 steps, rate 1e-3", adam, once=True),
    ]


def jsma() -> list[Entry]:
    """Steps of the largest energy. Foolbox has no JSMA."""
    say, same = "a tenth of the features", {"theta": 1.0, "gamma": 0.1}
    return [
        Entry(ours, "jsma", f"{say}, 4 at once", {"share": 0.1, "at_once": 4}),
        Entry(torchattacks, "JSMA", say, same, once=True),
        Entry(art, "SaliencyMapMethod", say, same),
    ]


def compare(title: str, task: Task, entries: list[Entry], steps: int = 0) -> None:
    print(f"\n{title}\n{'':<50}{'success':>8}{'SNR dB':>8}{'changed':>9}{'s':>9}{'x':>8}", end="")
    print(f"{'ms/step':>9}" if steps else "")
    entries = [entry for entry in entries if entry.tool is ours or find_spec(entry.tool.__name__)]
    found, seconds = taken_in_turns(task, entries)
    for entry, adversarial, taken in zip(entries, found, seconds, strict=True):
        fooled = task.criterion.is_adversarial(task.back(adversarial))
        delta = (adversarial - task.x).flatten(1)
        snr = snr_db(delta, task.x.flatten(1))[fooled].median()
        changed = (delta[fooled].abs() > TINY * task.width).sum(1).double().median()
        print(
            f"{entry.tool.__name__:<14}{entry.settings:<36}{fooled.double().mean():>8.3f}{snr:>8.1f}"
            f"{changed:>9.0f}{taken:>9.2f}{taken / seconds[0]:>8.1f}",
            f"{1000 * taken / steps:>8.2f}" if steps else "",
        )


def taken_in_turns(task: Task, entries: list[Entry]) -> tuple[list[Tensor], list[float]]:
    """What each entry returns, and its median seconds after a warm-up."""
    attempts = [entry.tool(task, entry.name, **entry.options) for entry in entries]
    found, seconds = [task.x] * len(entries), [[] for _ in entries]
    for turn in range(-1, REPEATS):
        for i, entry in enumerate(entries):
            if turn == 0 or not entry.once:
                started = time.process_time()
                found[i] = attempts[i]().detach()
                seconds[i] += [time.process_time() - started] * (turn >= 0)
    return found, [sorted(taken)[len(taken) // 2] for taken in seconds]


def pairs_of_samples(task: Task) -> str:
    """Why JSMA is compared on mel energies: one step of torchattacks' on one waveform."""
    samples = task.x.shape[1]
    attack = import_module("torchattacks").JSMA(task.model, gamma=2 / samples)
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    attack(task.images[:1], task.goal[:1])
    seconds, after = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF)
    memory = (after.ru_maxrss - before.ru_maxrss) / 2**20  # GiB
    return (
        f"JSMA is compared on mel energies: torchattacks' scores all pairs of {samples} samples,\n"
        f"{seconds:.1f} s and {memory:.1f} GiB a step, {samples // 20} steps for a tenth of them"
    )


def main() -> None:
    threads.limit()
    classifier = checkpoints.load_classifier(CLASSIFIER).requires_grad_(False)  # nobody needs them
    x = load_clips(classifier, open_dataset("fsdd").select("test", CLIPS)).waveforms
    label, (front, back) = predictions(classifier, x), classifier.split("mel")
    print(f"torch {torch.__version__}, one thread; {CLASSIFIER}, {CLIPS} test clips of FSDD")
    print(f"CPU seconds: median of {REPEATS} after a warm-up (slow ones: once), and x ours")
    print("SNR and number of changed features: median of the successes")
    for module in ("torchattacks", "art", "foolbox"):
        if not find_spec(module):
            print(f"{module} not installed: pip install --no-deps {PACKAGES.get(module, module)}")
    whole = Task(classifier, x, label, threat_at(classifier, x, 0.0, L2))  # 0 dB: no limit
    if find_spec("torchattacks"):
        print(pairs_of_samples(whole))
    for level_db in (-100.0, -40.0):  # out of reach, so that nobody stops early; and within
        task = Task(classifier, x, label, threat_at(classifier, x, level_db, LINF))
        compare(f"PGD, linf at {level_db:g} dB", task, pgd(task.epsilon), PGD_STEPS)
    compare("DeepFool, l2", whole, deepfool())
    compare("Carlini & Wagner, l2", whole, carlini_wagner())
    mel = front(x)
    by_largest = ThreatModel(LINF, mel.max().expand(len(x)), "mel", (0.0, float(mel.max())))
    following = Task(back, mel, (label + 1) % 10, by_largest, targeted=True)
    compare("JSMA on mel energies, to the next label", following, jsma())


if __name__ == "__main__":
    main()
