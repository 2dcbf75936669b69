"""Support vector machines, trained by scikit-learn and brought into torch."""

import warnings
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustaudio.audio.tasks import INSTRUMENTS, Task
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.card import Training
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.stages import DescriptorStages
from robustaudio.classifiers.svm import Standardise, SupportVectorMachine, Svm
from robustaudio.training.corpora import Corpus
from robustaudio.training.trained import Log, Trained

C, GAMMA = (1.0, 1000.0), (1e-4, 1.0)  # ranges of the search, by their logarithms
NOISE = 0.1  # largest sigma of the noise in training, relative to the clip's peak


@dataclass(frozen=True)
class SvmRecipe:
    """One machine: `noisy` is the share of the clips that are trained on under noise.

    C and gamma are the best of `searches` random pairs by `folds`-fold cross-validation over the
    recordings, groups kept together; the rendered sounds are in every training part.
    """

    name: str
    about: str
    noisy: float = 0.0
    denoise: bool = False
    searches: int = 100
    folds: int = 5
    seed: int = 0
    task: Task = INSTRUMENTS

    def train(self, corpus: Corpus, device: str, log: Log) -> Trained:
        """The machine, in torch; `device` is not used: scikit-learn knows the CPU only."""
        stages = DescriptorStages(denoise=self.denoise)
        untrained = Architecture(self.task.labels, 22_050, 44_100, stages, Svm())
        classifier = untrained.build(self.name)
        recorded, labels = classifier.prepare_dataset(corpus.recorded)
        rendered, more_labels = classifier.prepare_dataset(corpus.rendered)
        x, y = torch.cat([recorded, rendered]), torch.cat([labels, more_labels])
        log(f"{self.name}: {len(y)} training clips")
        rng = torch.Generator().manual_seed(self.seed)
        features = statistics(classifier, under_noise(x, self.noisy, rng))
        groups = np.array([row.group for row in corpus.recorded.rows])
        c, gamma, accuracy = self._search(features.numpy(), y.numpy(), groups)
        log(f"C {c:.3g}  gamma {gamma:.3g}  folds {accuracy:.4f}")
        trained = fitted(untrained, self.name, features, y, (c, gamma), self.seed)
        settings = {"C": c, "gamma": gamma}
        options = ("searches", "folds", "noisy", "denoise")
        settings |= {name: getattr(self, name) for name in options}
        training = Training(cross_validation_accuracy=accuracy, more=settings)
        data = f"{self.task.data.about}; {len(y)} clips in all"
        return Trained(*trained, training, data)

    def _search(
        self, x: np.ndarray, y: np.ndarray, groups: np.ndarray
    ) -> tuple[float, float, float]:
        """The best C and gamma, and their accuracy over the folds."""
        from scipy.stats import loguniform  # here: nothing but training needs them
        from sklearn.model_selection import RandomizedSearchCV

        search = RandomizedSearchCV(
            pipeline(), {"svc__C": loguniform(*C), "svc__gamma": loguniform(*GAMMA)},
            n_iter=self.searches, cv=folds(y, groups, self.folds, self.seed),
            random_state=self.seed, refit=False,
        )  # fmt: skip
        search.fit(x, y)
        best = search.best_params_
        return best["svc__C"], best["svc__gamma"], float(search.best_score_)


def folds(
    y: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(train, test) rows per fold: only those with a group are tested, the rest always train."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter, known = StratifiedGroupKFold(count, shuffle=True, random_state=seed), len(groups)
    rest = np.arange(known, len(y))
    return [
        (np.concatenate([train, rest]), test)
        for train, test in splitter.split(y[:known], y[:known], groups)
    ]


def pipeline(**options):
    """Standardisation and an RBF SVC, as scikit-learn has them."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return Pipeline([("scaler", StandardScaler()), ("svc", SVC(**options))])


def under_noise(
    x: Float[Tensor, "clip time"], share: float, generator: torch.Generator
) -> Float[Tensor, "clip time"]:
    """A share of the clips under Gaussian noise, each of its own sigma, uniform up to `NOISE`."""
    chosen = torch.rand(len(x), 1, generator=generator) < share
    sigma = NOISE * torch.rand(len(x), 1, generator=generator)
    return x + chosen * sigma * torch.randn(x.shape, generator=generator)


@torch.no_grad()
def statistics(
    classifier: Classifier, x: Float[Tensor, "clip time"]
) -> Float[Tensor, "clip feature"]:
    """What the machine sees of every clip, before it is standardised."""
    front, _ = classifier.split("statistics")
    return torch.cat([front(some) for some in x.split(100)]).double()


def fitted(
    untrained: Architecture, name: str, x: Float[Tensor, "clip feature"],
    y: Int[Tensor, " clip"], c_and_gamma: tuple[float, float], seed: int,
) -> tuple[Classifier, Architecture]:  # fmt: skip
    """The machine fitted with probabilities, and its architecture with so many support vectors."""
    c, gamma = c_and_gamma
    model = pipeline(C=c, gamma=gamma, probability=True, random_state=seed)
    with warnings.catch_warnings():  # its successor averages other probabilities
        warnings.filterwarnings("ignore", category=FutureWarning, module="sklearn")
        model.fit(x.numpy(), y.numpy())
        return in_torch(untrained, name, model)


def in_torch(untrained: Architecture, name: str, model) -> tuple[Classifier, Architecture]:
    """A fitted `pipeline`'s numbers in a classifier."""
    scaler, svc = model.named_steps["scaler"], model.named_steps["svc"]
    architecture = replace(untrained, network=Svm(len(svc.support_vectors_)))
    classifier = architecture.build(name)
    standardise, machine = classifier.stages["standardised"], classifier.network[0]
    assert isinstance(standardise, Standardise) and isinstance(machine, SupportVectorMachine)
    values = {
        standardise.mean: scaler.mean_,
        standardise.scale: scaler.scale_,
        machine.gamma: np.asarray(svc.gamma),
        machine.vectors: svc.support_vectors_,
        machine.weights: _by_pair(svc),
        machine.bias: svc.intercept_,
        machine.slope: svc.probA_,
        machine.offset: svc.probB_,
    }
    for buffer, value in values.items():
        buffer.copy_(torch.from_numpy(value))
    return classifier.eval(), architecture


def _by_pair(svc) -> np.ndarray:
    """libsvm's dual coefficients (label - 1, vector) as (vector, pair of labels)."""
    labels, ends = len(svc.n_support_), np.cumsum(svc.n_support_)
    of_label = [slice(end - n, end) for n, end in zip(svc.n_support_, ends, strict=True)]
    pairs = list(combinations(range(labels), 2))
    weights = np.zeros((len(svc.support_vectors_), len(pairs)))
    for pair, (i, j) in enumerate(pairs):
        weights[of_label[i], pair] = svc.dual_coef_[j - 1, of_label[i]]
        weights[of_label[j], pair] = svc.dual_coef_[i, of_label[j]]
    return weights
