"""Slips of a first notebook: each ends in one sentence that names the value and what is right."""

import re
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from pretended import pretended_mps
from torch import Tensor, nn

from robustaudio.attacks import ATTACKS, BIM, PGD, DeepFool, Genetic
from robustaudio.audio.clip import Clip
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers.classifier import Classifier
from robustaudio.perception.masking import masking_threshold
from robustaudio.representations.spectral import Framing, Magnitude
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF
from robustaudio.threats.threat_model import ThreatModel

DIGITS = tuple("0123456789")
NET = nn.Sequential(nn.Flatten(), nn.Linear(800, 10))
X = torch.rand(2, 800, generator=torch.Generator().manual_seed(0)) - 0.5
LABEL = torch.tensor([3, 4])
CLIP = Clip(X[0], 8_000)
SMOOTHING = Smoothing(n0=5, n=10)


def ball(count: int = 2) -> ThreatModel:
    return ThreatModel(LINF, torch.full((count,), 0.01))


def classifier(**changes: Any) -> Classifier:
    parts = {"stages": {}, "network": NET, "labels": DIGITS, "sample_rate": 800, "length": 800}
    return Classifier(**{**parts, **changes})


def attack(kind: Any = PGD, **changes: Any) -> Any:
    asked = {"model": NET, "x": X, "criterion": Misclassification(LABEL), "threat": ball()}
    asked |= {"generator": torch.Generator()} | changes
    return kind()(*(asked[key] for key in ("model", "x", "criterion", "threat")),
                  generator=asked["generator"])  # fmt: skip


def smooth(**changes: Any) -> Any:
    asked = {"model": NET, "x": X[0], "generator": torch.Generator()} | changes
    return SMOOTHING(asked["model"], asked["x"], generator=asked["generator"])


class Answers(nn.Module):
    """A model of one fixed answer, whatever it is asked."""

    def __init__(self, answer: Any):
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Any:
        return self.answer


def refused(kind: type[Exception], sentence: str, slip: Any) -> None:
    """The slip raises exactly that kind, in one sentence that begins and ends as one."""
    with pytest.raises(kind) as caught:
        slip()
    told = str(caught.value)
    assert re.search(sentence, told), told
    assert caught.type is kind and "\n" not in told and told.endswith("."), told


EPSILON = r"ThreatModel\(LINF, torch.full\(\(len\(x\),\), 0.01\)\)"


@pytest.mark.parametrize(
    "kind, sentence, epsilon",
    [
        (TypeError, f"epsilon is the float 0.01; it must be a tensor.*{EPSILON}", 0.01),
        (TypeError, f"epsilon is the int 1; .*{EPSILON}", 1),
        (TypeError, f"epsilon is None; .*{EPSILON}", None),
        (TypeError, f"epsilon is a list; .*{EPSILON}", [0.01, 0.01]),
        (TypeError, f"epsilon is a numpy array; .*{EPSILON}", np.full(2, 0.01)),
        (ValueError, r"epsilon of shape \(\) must have one axis", torch.tensor(0.01)),
        (ValueError, r"epsilon of shape \(2, 1\) must have one axis", torch.full((2, 1), 0.01)),
        (ValueError, "must not be negative or NaN", torch.tensor([-1.0])),
    ],
)
def test_a_threat_asks_for_a_radius_per_item(kind, sentence, epsilon):
    refused(kind, sentence, lambda: ThreatModel(LINF, epsilon))


def test_bounds_of_a_threat_begin_with_the_lower_one():
    refused(ValueError, r"bounds \(1, -1\)", lambda: ThreatModel(L2, X[0], bounds=(1, -1)))


@pytest.mark.parametrize("criterion", [Misclassification, TargetedMisclassification])
@pytest.mark.parametrize(
    "kind, sentence, label",
    [
        (TypeError, r"is the int 3; .*isclassification\(torch.tensor\(\[3\]\)\)", 3),
        (TypeError, "is the str '3'; it must be a tensor", "3"),
        (TypeError, "is a list; it must be a tensor", [3, 4]),
        (TypeError, "is a numpy array; it must be a tensor", np.array([3, 4])),
        (ValueError, r"of shape \(\) must have one axis", torch.tensor(3)),
        (ValueError, r"of shape \(2, 10\) must have one axis", torch.zeros(2, 10).long()),
        (ValueError, r"holds float32; it must hold int64: (label|target).long\(\)", torch.ones(2)),
        (ValueError, "holds int32; it must hold int64", torch.ones(2, dtype=torch.int32)),
        (ValueError, "holds bool; it must hold int64", torch.ones(2, dtype=torch.bool)),
    ],
)
def test_a_criterion_asks_for_a_label_per_item(criterion, kind, sentence, label):
    refused(kind, sentence, lambda: criterion(label))


SOUNDS = [
    (TypeError, r"x is a numpy array; torch.from_numpy\(x\) makes it a tensor", X.numpy()),
    (TypeError, r"x is a Clip; .*classifier.prepare\(clip\).samples\[None\]", CLIP),
    (TypeError, r"x is a list; torch.tensor\(x\)", X.tolist()),
    (TypeError, "x is the str 'seven.wav'; it must be a torch.Tensor", "seven.wav"),
    (TypeError, "x is None; it must be a torch.Tensor", None),
    (ValueError, "x holds int16; a waveform is float32, between -1 and 1", X.to(torch.int16)),
    (ValueError, "x holds complex64", X.to(torch.complex64)),
    (ValueError, r"x of shape \(0, 800\) is empty", X[:0]),
    (ValueError, "x holds NaN or infinite values", X / 0),
    (ValueError, "x holds NaN or infinite values", X * torch.nan),
    (ValueError, r"x holds float64 and the model float32; x.to\(torch.float32\)", X.double()),
    (ValueError, r"x holds float16 and the model float32; x.to\(torch.float32\)", X.half()),
]


@pytest.mark.parametrize("kind, sentence, x", SOUNDS)
def test_an_attack_and_smoothing_ask_for_a_finite_tensor(kind, sentence, x):
    refused(kind, sentence, lambda: attack(x=x))
    refused(kind, sentence, lambda: smooth(x=x))


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    "kind, sentence, slip",
    [
        (TypeError, "x is a numpy array", {"x": X.numpy()}),
        (ValueError, r"x of shape \(800,\) has no batch axis; x\[None\] is a batch", {"x": X[0]}),
        (ValueError, "epsilon has 1 values for a batch of 2", {"threat": ball(1)}),
        (ValueError, "epsilon has 3 values for a batch of 2", {"threat": ball(3)}),
        (ValueError, "label has 1 values for a batch of 2",
         {"criterion": Misclassification(LABEL[:1])}),
        (ValueError, "target has 3 values for a batch of 2",
         {"criterion": TargetedMisclassification(torch.tensor([1, 2, 3]))}),
        (TypeError, "the criterion is a Tensor; it must be Misclassif", {"criterion": LABEL}),
        (TypeError, "the criterion is the class Misclassification itself",
         {"criterion": Misclassification}),
        (TypeError, "the threat is the float 0.01; it must be a ThreatModel", {"threat": 0.01}),
        (TypeError, "the model is a function; it must be a torch.nn.Module",
         {"model": lambda x: NET(x)}),
        (TypeError, "the model is the class Sequential itself", {"model": nn.Sequential}),
        (TypeError, "generator is None; it must be a torch.Generator", {"generator": None}),
        (TypeError, r"generator is the int 0; .*torch.Generator\(x.device\).manual_seed\(0\)",
         {"generator": 0}),
        (TypeError, "generator is a Generator; it must be a torch",
         {"generator": np.random.default_rng()}),
    ],
)  # fmt: skip
def test_every_attack_asks_for_what_fits(name, kind, sentence, slip):
    refused(kind, sentence, lambda: attack(ATTACKS[name], **slip))


@pytest.mark.parametrize("kind", [PGD, DeepFool, Genetic])
@pytest.mark.parametrize("label", [10, 12, -1, -100])
def test_a_label_that_the_model_does_not_have_is_named(kind, label):
    told = f"{label} is out of range: the model has the labels 0 to 9"
    labels = torch.tensor([3, label])
    refused(ValueError, f"label {told}", lambda: attack(kind, criterion=Misclassification(labels)))
    criterion = TargetedMisclassification(labels)
    refused(ValueError, f"target {told}", lambda: attack(kind, criterion=criterion))


ANSWERS = [
    (ValueError, r"answer \(2, 1, 10\) has an axis too many: .*\(batch, label\)", (2, 1, 10)),
    (ValueError, r"answer \(2, 10, 5\) has an axis too many", (2, 10, 5)),
    (ValueError, r"answer \(2,\) has an axis too few", (2,)),
    (ValueError, "gives 4 answers to a batch of 2", (4, 10)),
    (ValueError, r"answer \(2, 1\) has a single label; a decision needs two", (2, 1)),
]


@pytest.mark.parametrize("kind, sentence, shape", ANSWERS)
def test_a_model_answers_with_a_logit_per_item_and_label(kind, sentence, shape):
    model = Answers(torch.zeros(shape))
    refused(kind, sentence, lambda: attack(model=model))


def test_a_model_that_answers_with_no_tensor_says_so():
    told = r"the model answers with a tuple; logits must be a tensor \(batch, label\)"
    refused(TypeError, told, lambda: attack(model=Answers((torch.zeros(2, 10), None))))
    refused(TypeError, told, lambda: smooth(model=Answers((torch.zeros(5, 10), None))))
    refused(ValueError, "an axis too many", lambda: smooth(model=Answers(torch.zeros(5, 1, 10))))
    refused(ValueError, "gives 2 answers to a batch of 5",
            lambda: smooth(model=Answers(torch.zeros(2, 10))))  # fmt: skip


def test_a_classifier_names_the_axes_it_takes():
    told = r"waveform of shape \(2, 1, 800\) must have two axes, \(batch, time\): waveform.flatten"
    refused(ValueError, told, lambda: attack(model=classifier(), x=X[:, None]))
    refused(ValueError, told, lambda: classifier()(X[:, None]))
    refused(ValueError, r"\(800,\) .*waveform\[None\]", lambda: classifier()(X[0]))
    refused(TypeError, "waveform is a Clip", lambda: classifier()(CLIP))
    refused(TypeError, "waveform is a numpy array", lambda: classifier().probabilities(X.numpy()))
    short = r"x has 400 samples and the classifier takes 800: classifier.prepare\(clip\)"
    refused(ValueError, short, lambda: attack(model=classifier(), x=X[:, :400]))
    batch = r"x of shape \(1, 800\) is a batch; smoothing takes one item: x\[0\]"
    refused(ValueError, batch, lambda: smooth(model=classifier(), x=X[:1]))


def test_smoothing_asks_for_what_fits():
    refused(TypeError, "the model is a function", lambda: smooth(model=lambda x: NET(x)))
    refused(TypeError, "generator is None", lambda: smooth(generator=None))
    refused(TypeError, "generator is the int 0", lambda: smooth(generator=0))
    refused(TypeError, "x is a numpy array",
            lambda: SMOOTHING.votes(NET, X[0].numpy(), 5, torch.Generator()))  # fmt: skip


@pytest.mark.parametrize(
    "kind, sentence, parts",
    [
        (TypeError, r"network is a Linear; it must be an nn.Sequential: nn.Sequential\(network\)",
         {"network": NET[1]}),
        (TypeError, "network is a list", {"network": [NET[1]]}),
        (TypeError, r"stages is a list; it must map names to modules: \{\}", {"stages": []}),
        (TypeError, "stages is a Magnitude", {"stages": Magnitude(Framing())}),
        (TypeError, "stages is None", {"stages": None}),
        (TypeError, "labels is the str '0123456789'; it must be a tuple", {"labels": "0123456789"}),
        (TypeError, "labels is the int 10", {"labels": 10}),
        (TypeError, "a label is the int 0; labels are names", {"labels": range(10)}),
        (ValueError, "the label '1' stands there twice", {"labels": ("1", "2", "1")}),
        (TypeError, "length is the float 800.0; it must be a whole number", {"length": 800.0}),
        (TypeError, "sample_rate is None; it must be a whole number", {"sample_rate": None}),
        (ValueError, "sample_rate 0 must be at least 1", {"sample_rate": 0}),
    ],
)  # fmt: skip
def test_a_classifier_is_made_of_stages_a_sequence_and_names(kind, sentence, parts):
    refused(kind, sentence, lambda: classifier(**parts))


def test_a_list_of_labels_is_as_good_as_a_tuple():
    made = classifier(labels=list(DIGITS), length=np.int64(800))
    assert made.labels == DIGITS and made.label_index("7") == 7 and type(made.length) is int


def test_a_verifier_says_how_a_classifier_is_made():
    how = r"Classifier is made of it by Classifier\(\{\}, nn.Sequential\(...\), labels=\(...\), sam"
    for plain in (NET, NET[1], lambda x: x, "digits-cnn", None):
        refused(TypeError, f"the classifier is .*; a {how}", lambda plain=plain: Verifier(plain))


@pytest.mark.parametrize(
    "kind, sentence, x, label",
    [
        (TypeError, "waveform is a numpy array", X.numpy(), LABEL),
        (TypeError, "waveform is a Clip", CLIP, LABEL),
        (ValueError, r"waveform of shape \(800,\) has no batch axis", X[0], LABEL),
        (ValueError, "waveform holds NaN", X * torch.nan, LABEL),
        (ValueError, r"shape \(2, 700\) and the classifier takes \(batch, 800", X[:, :-100], LABEL),
        (ValueError, r"shape \(2, 1, 800\) and the classifier takes", X[:, None], LABEL),
        (TypeError, "label is the int 3", X, 3),
        (ValueError, "label has 1 values for a batch of 2", X, LABEL[:1]),
        (ValueError, "label 10 is out of range: the model has the labels 0 to 9", X, LABEL + 6),
    ],
)
def test_a_verifier_asks_for_what_fits(kind, sentence, x, label):
    verifier = Verifier(classifier())
    refused(kind, sentence, lambda: verifier.largest_level(x, label))
    refused(kind, sentence, lambda: verifier.verified_at(x, label, -60.0, LINF))
    refused(kind, sentence, lambda: verifier.verify(x, label, ball()))
    refused(ValueError, "epsilon has 3 values for a batch of 2",
            lambda: verifier.verify(X, LABEL, ball(3)))  # fmt: skip


def test_a_verifier_takes_float64():
    """What it computes in, so that there is nothing to refuse."""
    assert Verifier(classifier()).predict(X.double()).tolist() == NET(X).argmax(1).tolist()


def test_a_masking_threshold_of_other_clips_is_refused():
    framing = Framing(n_fft=256, hop_length=64, unitary=True)
    threshold = masking_threshold(X[:1], framing, 8_000)
    threat = ThreatModel(LINF, torch.full((2,), 0.01), threshold=threshold)
    refused(ValueError, "threshold has 1 values for a batch of 2", lambda: attack(threat=threat))


@pytest.mark.parametrize(
    "sentence, slip",
    [
        ("steps is the float 10.0; it must be a whole number", lambda: PGD(steps=10.0)),
        ("steps is the str '10'", lambda: BIM(steps="10")),
        ("step_size is the str '0.1'; it must be a number", lambda: PGD(step_size="0.1")),
        ("steps is a Sequential", lambda: PGD(NET)),
        ("queries is None", lambda: Genetic(queries=None)),
    ],
)
def test_an_option_of_another_kind_is_named(sentence, slip):
    refused(TypeError, sentence, slip)


def test_a_tensor_beside_another_device_is_named(monkeypatch):
    """A device is only pretended here: it stands for a GPU."""
    with pretended_mps(monkeypatch):
        elsewhere = classifier(network=deepcopy(NET)).to("mps").to("cpu")
        model = nn.Sequential(nn.Flatten(), nn.Linear(800, 10)).to("mps")
        x, label, there = X.to("mps"), LABEL.to("mps"), torch.Generator("mps")
        threat = ThreatModel(LINF, torch.full((2,), 0.01).to("mps"))
        right = {"model": model, "x": x, "criterion": Misclassification(label), "threat": threat,
                 "generator": there}  # fmt: skip
        attack(**right)
        for sentence, slip in (
            (r"generator is on cpu and x on mps; torch.Generator\('mps'\)",
             {"generator": torch.Generator()}),
            (r"label is on cpu and x on mps; label.to\('mps'\)",
             {"criterion": Misclassification(LABEL)}),
            (r"epsilon is on cpu and x on mps; epsilon.to\('mps'\)", {"threat": ball()}),
            (r"x is on mps and the model on cpu; x.to\('cpu'\)", {"model": elsewhere}),
        ):  # fmt: skip
            refused(ValueError, sentence, lambda slip=slip: attack(**right | slip))
        told = r"x is on cpu and the model on mps; x.to\('mps'\)"
        refused(ValueError, told, lambda: attack(model=model))
        refused(ValueError, told, lambda: smooth(model=model))
        refused(ValueError, "generator is on cpu", lambda: smooth(model=model, x=x[0]))


def test_an_attack_leaves_no_graph_behind():
    x = X.clone().requires_grad_()
    with torch.no_grad():
        result = attack(x=x)
    assert not result.adversarial.requires_grad and x.grad is None
    assert not attack(x=x).adversarial.requires_grad
    assert all(p.grad is None and p.requires_grad for p in NET.parameters())
