"""The machine in torch says what scikit-learn's says, and can be differentiated."""

import json
import warnings

import numpy as np
import pytest
import torch

from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.classifiers.stages import DescriptorStages
from robustaudio.classifiers.svm import SupportVectorMachine, Svm, coupled
from robustaudio.training.svm import in_torch, pipeline

LABELS = tuple("abcde")


@pytest.fixture(scope="module")
def pair():
    """A pipeline fitted by scikit-learn on overlapping clouds, and the same in torch."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % len(LABELS)
    x = rng.normal(size=(200, 75)) + 0.8 * np.eye(len(LABELS), 75)[y] * 3
    model = pipeline(C=10.0, gamma=0.02, probability=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(x, y)
        untrained = Architecture(LABELS, 22_050, 44_100, DescriptorStages(), Svm())
        classifier, architecture = in_torch(untrained, "tiny", model)
    fresh = rng.normal(size=(300, 75)) * 2
    return model, classifier, architecture, torch.from_numpy(np.concatenate([x, fresh]))


def test_probabilities_are_those_of_predict_proba(pair):
    model, classifier, _, x = pair
    _, back = classifier.split("statistics")
    ours = back(x).softmax(1).double().numpy()
    assert np.abs(ours - model.predict_proba(x.numpy())).max() < 1e-5


def test_decisions_are_those_of_one_against_one(pair):
    model, classifier, _, x = pair
    svc, scaled = model.named_steps["svc"], classifier.stages["standardised"](x)
    svc.set_params(decision_function_shape="ovo")
    machine = classifier.network[0]
    ours = (machine.kernel(scaled) @ machine.weights + machine.bias).numpy()
    assert np.abs(ours - svc.decision_function(scaled.numpy())).max() < 1e-9


def test_pairs_that_agree_give_back_their_probabilities():
    """r_ij = p_i / (p_i + p_j) has its minimum at p (Wu, Lin & Weng 2004, section 4)."""
    p = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64)
    pairwise = p[:, :, None] / (p[:, :, None] + p[:, None, :])
    pairwise = pairwise * (1 - torch.eye(4, dtype=torch.float64))
    assert torch.allclose(coupled(pairwise), p, atol=0.005 / 4)


def test_the_gradient_is_that_of_the_minimum():
    generator = torch.Generator().manual_seed(0)
    r = torch.rand(1, 4, 4, generator=generator, dtype=torch.float64).triu(1)
    upper = torch.ones_like(r).triu(1)
    r = (r + (upper - r).transpose(1, 2) * upper.transpose(1, 2)).requires_grad_()
    direction = torch.randn(1, 4, 4, generator=generator, dtype=torch.float64).triu(1)
    direction = direction - direction.transpose(1, 2)  # r_ij + r_ji stays 1
    weight = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)

    def minimum(pairs: torch.Tensor) -> torch.Tensor:
        q = -pairs.transpose(1, 2) * pairs + torch.diag_embed(pairs.square().sum(1))
        ones = torch.ones(1, 1, 4, dtype=torch.float64)
        zero = torch.zeros(1, 1, 1, dtype=torch.float64)
        top = torch.cat([q, ones.transpose(1, 2)], 2)
        system = torch.cat([top, torch.cat([ones, zero], 2)], 1)
        right = torch.tensor([[0.0, 0, 0, 0, 1]], dtype=torch.float64)
        return (torch.linalg.solve(system, right)[:, :4] * weight).sum()

    (gradient,) = torch.autograd.grad((coupled(r) * weight).sum(), r)
    step = 1e-6
    slope = (minimum(r + step * direction) - minimum(r - step * direction)) / (2 * step)
    along = (gradient * direction).sum().item()
    assert along == pytest.approx(slope.item(), rel=1e-5)


def test_a_machine_survives_its_card(pair):
    _, classifier, architecture, _ = pair
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
    again = architecture.build()
    again.load_state_dict(classifier.state_dict())
    x = torch.randn(2, 44_100, generator=torch.Generator().manual_seed(3))
    assert torch.equal(again(x), classifier(x))


@pytest.mark.parametrize("name", ["instruments-svm", "instruments-svm-denoise"])
def test_a_shipped_machine_has_a_gradient_down_to_the_waveform(name):
    classifier = load_classifier(name)
    assert isinstance(classifier.network[0], SupportVectorMachine)
    x = torch.randn(1, 44_100, generator=torch.Generator().manual_seed(4)) * 0.1
    x[:, 30_000:] = 0
    x.requires_grad_()
    classifier(x)[0, 3].backward()
    assert x.grad.isfinite().all() and x.grad.norm() > 0
