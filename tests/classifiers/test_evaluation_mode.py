"""A model left in training mode is asked in evaluation mode, and handed back as it was."""

import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import is_dataclass, replace

import pytest
import torch
from small import QUICK, TIME, clips, run
from torch import Tensor, nn

from robustaudio.attacks import ATTACKS, PGD, Genetic
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import evaluation_mode as room
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import evaluation_mode
from robustaudio.classifiers.networks import DeepCnn, LastHidden
from robustaudio.classifiers.stages import LogMelStages
from robustaudio.evaluation.attack import Attacking, AttackLevels, Plan, attack, attack_levels
from robustaudio.evaluation.batch import LabelledBatch, predictions
from robustaudio.evaluation.certify import Certifying, CertifyRadii, certify, certify_radii
from robustaudio.evaluation.engine import Asked, measure_clip
from robustaudio.evaluation.engine import run as run_over
from robustaudio.evaluation.exhibits import exhibits
from robustaudio.evaluation.maximise import Maximising, maximise
from robustaudio.evaluation.noise import AddingNoise, NoiseLevels, add_noise, noise_levels
from robustaudio.evaluation.predict import Predicting, predict, predict_labels
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.evaluation.smallest import SmallestLevels, attack_smallest
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.evaluation.verify import Verifying, verify
from robustaudio.progress import Enough
from robustaudio.representations.spectral import Framing, MelScale
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import L2, LINF
from robustaudio.threats.threat_model import ThreatModel, threat_at

SMOOTHING = Smoothing(sigma=0.1, n0=10, n=40, chunk=16)
PLAN = Plan(PGD(steps=3))


def fragile(seed: int = 0) -> nn.Sequential:
    """A network that training mode makes random, and changes; in evaluation mode."""
    torch.manual_seed(seed)
    inner = nn.Sequential(nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.5))
    return nn.Sequential(nn.Linear(TIME, 16), inner, nn.Linear(16, 3)).eval()


def left(model: nn.Module, how: str) -> nn.Module:
    """The model as somebody may leave it."""
    if how == "training":
        return model.train()
    wanted = {"dropout only": nn.Dropout, "normalisation only": nn.BatchNorm1d}[how]
    for module in model.eval().modules():
        module.training = isinstance(module, wanted)
    return model


LEFT = pytest.mark.parametrize("how", ["training", "dropout only", "normalisation only"])


class Watched:
    """What a caller owns of a model, to be the same before and after."""

    def __init__(self, model: nn.Module):
        self.model, self.state = model, deepcopy(model.state_dict())
        self.flags = [module.training for module in model.modules()]
        self.wants = [p.requires_grad for p in model.parameters()]

    def unchanged(self) -> bool:
        now = self.model.state_dict()
        return (
            [module.training for module in self.model.modules()] == self.flags
            and [p.requires_grad for p in self.model.parameters()] == self.wants
            and all(p.grad is None for p in self.model.parameters())
            and all(torch.equal(now[key], value) for key, value in self.state.items())
            and torch.backends.cudnn.enabled
            and not room._HELD
        )


@LEFT
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_finds_what_it_finds_of_the_model_in_evaluation_mode(name, how):
    label = Misclassification(fragile()(clips()).argmax(1))
    right = run(QUICK[name], clips(), 0.05, criterion=label, model=fragile())
    model = left(fragile(), how)
    model[0].weight.requires_grad = False
    watched = Watched(model)
    result = run(QUICK[name], clips(), 0.05, criterion=label, model=model)
    assert torch.equal(result.adversarial, right.adversarial)
    assert torch.equal(result.is_adversarial, right.is_adversarial)
    assert watched.unchanged()


@LEFT
def test_smoothing_certifies_the_model_in_evaluation_mode(how):
    x, rng = clips()[0], torch.Generator()
    right = SMOOTHING(fragile(), x, generator=rng.manual_seed(0))
    watched = Watched(left(fragile(), how))
    result = SMOOTHING(watched.model, x, generator=rng.manual_seed(0))
    votes = SMOOTHING.votes(watched.model, x, 40, rng.manual_seed(0))
    assert result.certificate == right.certificate
    assert torch.equal(result.counts, right.counts)
    assert torch.equal(votes, SMOOTHING.votes(fragile(), x, 40, rng.manual_seed(0)))
    assert watched.unchanged()


def classifier() -> Classifier:
    """A deep network with normalisation and dropout, its running statistics those of some sound."""
    torch.manual_seed(0)
    architecture = Architecture(
        ("a", "b", "c"), 8_000, 2_048, LogMelStages(Framing(256, 128), MelScale(n_mels=12)),
        DeepCnn(width=8),
    )  # fmt: skip
    made = architecture.build("small").train()
    for seed in range(3):
        made(waveforms(seed))
    return made.eval()


def waveforms(seed: int = 0) -> Tensor:
    return torch.rand(4, 2_048, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def labelled() -> LabelledBatch:
    return LabelledBatch(
        dataset="some", split="test", waveforms=waveforms(),
        labels=torch.tensor([0, 1, 2, 0]), names=(*"abcd",),
    )  # fmt: skip


def summarised(measure, classifier: Classifier, batch: LabelledBatch, asked: Asked) -> dict:
    """The record of a measure over clips."""
    rows = run_over(measure, classifier, batch, asked)
    return asked.about(classifier, batch, 0) | to_json(asked.summary(rows))


WAVEFORM = waveforms()[0]
CALLS: dict[str, Callable[[Classifier], object]] = {
    "predictions": lambda c: predictions(c, waveforms()),
    "probabilities": lambda c: c.probabilities(waveforms()),
    "predict_clip": lambda c: measure_clip(predict, c, WAVEFORM, None),
    "predict_dataset": lambda c: summarised(predict_labels, c, labelled(), Predicting()),
    "threat_at": lambda c: threat_at(
        c, waveforms(), -30.0, L2, representation="log_mel"
    ).epsilon.detach(),
    "noise_clip": lambda c: measure_clip(add_noise, c, WAVEFORM, AddingNoise(0.1, "mel")),
    "noise_dataset": lambda c: summarised(
        noise_levels, c, labelled(), NoiseLevels((0.0, 0.3), "log_mel")
    ),
    "attack_clip": lambda c: measure_clip(attack, c, WAVEFORM, Attacking(PLAN, -20)),
    "attack_clip after rounding": lambda c: measure_clip(
        attack, c, WAVEFORM, Attacking(replace(PLAN, survive_rounding=True), -20)
    ),
    "attack_dataset": lambda c: summarised(
        attack_levels, c, labelled(), AttackLevels(PLAN, (-20,), True)
    ),
    "smallest of attack_dataset": lambda c: summarised(
        attack_smallest, c, labelled(), SmallestLevels(PLAN, (-20,))
    ),
    "maximise_clip": lambda c: measure_clip(
        maximise, c, WAVEFORM, Maximising(Genetic(queries=40), "b", -20)
    ),
    "levels_by_target": lambda c: measure_clip(levels_by_target, c, WAVEFORM, PLAN),
    "exhibits": lambda c: [to_json(one) for one in exhibits(c, WAVEFORM, WAVEFORM * 0.9, seed=0)],
    "certify_clip": lambda c: measure_clip(certify, c, WAVEFORM, Certifying(SMOOTHING, "log_mel")),
    "certify_dataset": lambda c: summarised(
        certify_radii, c, labelled(), CertifyRadii(SMOOTHING, (0.0, 0.1))
    ),
    "verify_clip": lambda c: measure_clip(verify, c, WAVEFORM, Verifying(LINF, -90)),
    "measure_ruler": lambda c: measure_clip(
        measure_ruler, c, WAVEFORM, Measuring(SMOOTHING, PGD(steps=3))
    ),
}


def timeless(told: object) -> object:
    told = to_json(told) if is_dataclass(told) else told
    if isinstance(told, Tensor):
        return told.tolist()
    return {k: v for k, v in told.items() if k != "seconds"} if isinstance(told, dict) else told


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_evaluation_tells_the_same_of_a_classifier_in_training_mode(call):
    watched = Watched(left(classifier(), "training"))
    assert timeless(call(watched.model)) == timeless(call(classifier()))
    assert watched.unchanged()


class Stop(BaseException):
    """Whatever ends a call from outside, KeyboardInterrupt among it."""


@pytest.mark.parametrize("error", [ValueError, Stop, KeyboardInterrupt])
@LEFT
def test_a_call_that_is_cancelled_leaves_the_model_as_it_was(how, error):
    watched = Watched(left(fragile(), how))
    seen = []

    def cancel(share: float, step: object = None) -> None:
        seen.append(any(module.training for module in watched.model.modules()))
        raise error

    with pytest.raises(error):
        run(PGD(), clips(), 0.05, model=watched.model, criterion=label_0(), progress=cancel)
    assert seen == [False] and watched.unchanged()
    with pytest.raises(error):
        SMOOTHING(watched.model, clips()[0], generator=torch.Generator(), progress=cancel)
    assert watched.unchanged()


def label_0() -> Misclassification:
    return Misclassification(torch.zeros(6, dtype=torch.long))


def test_an_attack_that_has_had_enough_leaves_the_model_as_it_was():
    watched = Watched(fragile().train())

    def enough(share: float, step: object = None) -> None:
        raise Enough

    run(PGD(), clips(), 0.05, model=watched.model, criterion=label_0(), progress=enough)
    assert watched.unchanged()


def test_a_model_that_fails_under_the_question_keeps_its_flags():
    watched = Watched(nn.Sequential(fragile().train(), nn.Linear(7, 2)))
    with pytest.raises(RuntimeError):
        run(PGD(), clips(), 0.05, model=watched.model, criterion=label_0())
    assert watched.unchanged()


def test_a_back_of_a_split_hands_the_shared_modules_back():
    watched = Watched(left(classifier(), "training"))
    back = watched.model.split("log_mel")[1]
    with evaluation_mode(back):
        assert not any(module.training for module in watched.model.network.modules() if
                       module is not watched.model.network)  # fmt: skip
    assert watched.unchanged()


def test_calls_that_overlap_in_threads_hand_the_model_back_when_the_last_one_ends():
    watched = Watched(fragile().train())
    entered, leave, seen = threading.Event(), threading.Event(), []

    def long() -> None:
        with evaluation_mode(watched.model):
            entered.set()
            leave.wait(10)
            seen.extend(module.training for module in watched.model.modules())

    thread = threading.Thread(target=long)
    thread.start()
    entered.wait(10)
    with evaluation_mode(watched.model):
        pass
    leave.set()
    thread.join()
    assert seen and not any(seen)
    assert watched.unchanged()


def test_recurrent_layers_on_a_gpu_are_asked_for_gradients_without_cudnn(monkeypatch):
    """cuDNN: "RNN backward can only be called in training mode"; a GPU is only pretended here."""
    model = nn.Sequential(nn.Conv1d(4, 4, 1), LastHidden(4, 4), nn.Linear(4, 2))
    with evaluation_mode(model, gradients=True):
        assert torch.backends.cudnn.enabled  # on a CPU
    monkeypatch.setattr(nn.Parameter, "is_cuda", True, raising=False)
    with evaluation_mode(model, gradients=True):
        assert not torch.backends.cudnn.enabled
        with evaluation_mode(model, gradients=True):
            pass
        assert not torch.backends.cudnn.enabled
    assert torch.backends.cudnn.enabled
    with evaluation_mode(model), evaluation_mode(nn.Linear(2, 2), gradients=True):
        assert torch.backends.cudnn.enabled  # without gradients, or without a recurrent layer
    seen = []
    watched = nn.Sequential(nn.Unflatten(1, (4, 10)), model)
    model[0].register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    run(PGD(steps=2), clips(), 0.05, model=watched, criterion=label_0())
    assert seen and not any(seen) and torch.backends.cudnn.enabled


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_recurrent_classifier_is_attacked_on_a_gpu():
    model = nn.Sequential(nn.Unflatten(1, (4, 10)), LastHidden(4, 8), nn.Linear(8, 3)).cuda().eval()
    x = clips().cuda()
    threat = ThreatModel(LINF, x.new_full((len(x),), 0.1))
    criterion = Misclassification(model(x).argmax(1))
    result = PGD(steps=5)(model, x, criterion, threat, generator=torch.Generator("cuda"))
    assert result.adversarial.is_cuda


def test_a_flag_that_cannot_be_set_leaves_the_others_as_they_were():
    class Fixed(nn.Module):
        @property
        def training(self):
            return True

        @training.setter
        def training(self, value):
            if "fixed" in vars(self):
                raise RuntimeError("it is fixed")

    model = nn.Sequential(nn.Dropout(), Fixed()).train()
    vars(model[1])["fixed"] = True
    with pytest.raises(RuntimeError, match="it is fixed"), evaluation_mode(model):
        pass
    assert model.training and model[0].training and not room._HELD
