"""What holds for every attack: budget, bounds, honesty, repeatability, progress."""

from dataclasses import fields, is_dataclass
from math import inf

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import QUICK, Centred, clips, listening, network, run, threat_to

from robustaudio.attacks import APGD, ATTACKS, PGD, Step
from robustaudio.attacks.search import ROUNDING
from robustaudio.options import option_of
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF, MASKING, Norm
from robustaudio.threats.threat_model import ThreatModel

EVERY = pytest.mark.parametrize("name", ATTACKS)
ASKING = ("genetic", "hill-climber", "random-search")  # attacks without a gradient


def check(name: str, norm: Norm, seed: int, epsilon: float) -> None:
    attack, model, x = QUICK[name], network(seed), clips(seed)
    result = run(attack, x, epsilon, norm, seed=seed, model=model)
    threat = threat_to(attack, x, epsilon, norm)
    rounding = ROUNDING * torch.finfo(x.dtype).eps
    assert (result.distance <= epsilon * (1 + rounding) + threat.distance(x) * rounding).all()
    assert result.adversarial.abs().max() <= 1
    assert torch.equal(result.distance, threat.distance(result.adversarial - x))
    margin = Misclassification(model(x).argmax(1)).margin(model(result.adversarial))
    clear = margin.abs() > 1e-5
    assert torch.equal(result.is_adversarial[clear], margin[clear] < 0)
    assert torch.equal(result.original, x) and torch.equal(x, clips(seed))
    assert not result.adversarial.requires_grad
    assert (result.queries >= 1).all()
    assert all(p.grad is None for p in model.parameters())


@EVERY
@pytest.mark.parametrize("norm", [LINF, L2])
@settings(max_examples=3)
@given(seed=st.integers(0, 1_000), log_epsilon=st.floats(-4, 0.5))
def test_the_output_lies_in_budget_and_bounds_and_says_so(name, norm, seed, log_epsilon):
    check(name, norm, seed, 10**log_epsilon * (4 if norm is L2 else 1))


@EVERY
@pytest.mark.parametrize("epsilon", [1.0, 3_000.0])
def test_the_output_lies_in_the_masking_set_too(name, epsilon):
    if name == "jsma":
        with pytest.raises(ValueError, match="choose the norm linf or l2"):
            check(name, MASKING, 0, epsilon)
    else:
        check(name, MASKING, 0, epsilon)


@EVERY
def test_an_attack_is_a_frozen_dataclass_that_explains_every_option(name):
    kind = ATTACKS[name]
    assert is_dataclass(kind) and kind.__dataclass_params__.frozen
    assert kind() == kind()
    for field in fields(kind):
        option = option_of(field)
        assert option.help
        if option.high < inf:
            assert option.low <= field.default <= option.high
        elif option.choices:
            assert field.default in option.choices
        else:
            assert isinstance(field.default, bool)


@EVERY
def test_equal_generators_give_equal_results_whatever_else_is_random(name):
    torch.manual_seed(1)
    first = run(QUICK[name], clips(), 0.1, seed=3, progress=listening)
    torch.manual_seed(2)
    second = run(QUICK[name], clips(), 0.1, seed=3, progress=listening)
    assert torch.equal(first.adversarial, second.adversarial)
    assert torch.equal(first.queries, second.queries)
    assert first.history and first.history == second.history


@pytest.mark.parametrize("attack", [PGD(steps=5), APGD(steps=5)], ids=["pgd", "apgd"])
@pytest.mark.parametrize("norm", [LINF, L2])
def test_another_generator_gives_another_random_start(attack, norm):
    first, second = (run(attack, clips(), 0.01, norm, seed=seed) for seed in (1, 2))
    assert not torch.equal(first.adversarial, second.adversarial)


@EVERY
@pytest.mark.parametrize("norm, epsilon", [(LINF, 0.15), (L2, 1.0)])
def test_without_random_start_a_batch_equals_its_clips_one_by_one(name, norm, epsilon):
    attack, model, x, kind = QUICK[name], network().double(), clips(count=5).double(), Centred
    if name in ASKING:  # draws for every clip from a source of its own, and needs more room
        kind, epsilon = ThreatModel, 3 * epsilon
    together = run(attack, x, epsilon, norm, model=model, kind=kind)
    assert together.is_adversarial.any() and not together.is_adversarial.all()
    for i in range(len(x)):
        alone = run(attack, x[i : i + 1], epsilon, norm, model=model, kind=kind)
        assert torch.allclose(alone.adversarial[0], together.adversarial[i], atol=1e-7)
        assert bool(alone.is_adversarial) == bool(together.is_adversarial[i])


@EVERY
@pytest.mark.parametrize("norm", [LINF, L2, MASKING])
def test_a_clip_that_needs_no_attack_is_given_back(name, norm):
    if (name, norm) == ("jsma", MASKING):
        return
    model, x = network(), clips()
    wrong = torch.tensor([0, 1, 0, 1, 0, 1])
    criterion = Misclassification((model(x).argmax(1) + wrong) % 3)
    task = {"model": model, "criterion": criterion, "kind": Centred}
    result = run(QUICK[name], x, 0.1, norm, **task, progress=listening)
    assert result.is_adversarial[wrong > 0].all() and (result.distance[wrong > 0] == 0).all()
    assert result.history
    assert all(torch.tensor([s.loss, s.distance]).isfinite().all() for s in result.history)


@EVERY
def test_more_budget_never_breaks_fewer(name):
    x = clips(count=30)
    broken = [int(run(QUICK[name], x, e).is_adversarial.sum()) for e in (0.02, 0.1, 0.3, 1.5)]
    assert broken == sorted(broken) and broken[0] < broken[-1]


@EVERY
@pytest.mark.parametrize("norm, epsilon", [(LINF, 1.5), (L2, 8.0)])
def test_a_target_is_reached(name, norm, epsilon):
    model, x = network(), clips(count=12)
    target = (model(x).argmax(1) + 1) % 3
    criterion = TargetedMisclassification(target)
    result = run(QUICK[name], x, epsilon, norm, criterion=criterion, model=model)
    reached = model(result.adversarial).argmax(1) == target
    assert torch.equal(result.is_adversarial, reached)
    assert reached.double().mean() > 0.5


@EVERY
def test_whether_anybody_listens_changes_nothing(name):
    alone, watched = (run(QUICK[name], clips(), 0.1, progress=who) for who in (None, listening))
    assert alone.history == () and torch.equal(alone.adversarial, watched.adversarial)


@EVERY
def test_progress_is_told_in_order_and_is_the_history(name):
    told = []
    result = run(QUICK[name], clips(), 0.1, progress=lambda share, step: told.append((share, step)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] <= 1
    assert tuple(step for _, step in told) == result.history
    assert all(isinstance(step, Step) and step.distance >= 0 for step in result.history)


@EVERY
def test_progress_may_cancel(name):
    told = []

    def cancel(share: float, step: Step) -> None:
        told.append(share)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(QUICK[name], clips(), 1e-6, progress=cancel)
    assert len(told) == 2


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("bim", {"steps": 0}, "steps 0 must be at least 1"),
        ("bim", {"variant": "c"}, "variant 'c' must be one of a, b"),
        ("pgd", {"steps": 0}, "steps 0 must be at least 1"),
        ("pgd", {"restarts": 0}, "restarts 0 must be at least 1"),
        ("pgd", {"step_size": 0.0}, "step_size 0.0 must be above 0"),
        ("pgd", {"step_size": inf}, "step_size inf must be above 0, and finite"),
        ("mifgsm", {"decay": -0.1}, "decay -0.1 must be at least 0"),
        ("apgd", {"loss": "hinge"}, "loss 'hinge' must be one of ce, dlr"),
        ("apgd", {"rho": 0.0}, "rho 0.0 must be above 0"),
        ("apgd", {"rho": 1.5}, "rho 1.5 must be at most 1"),
        ("deepfool", {"steps": 0}, "steps 0 must be at least 1"),
        ("deepfool", {"overshoot": -0.1}, "overshoot -0.1 must be at least 0"),
        ("jsma", {"share": 0.0}, "share 0.0 must be above 0"),
        ("jsma", {"at_once": 0}, "at_once 0 must be at least 1"),
        ("cw", {"steps": 0}, "steps 0 must be at least 1"),
        ("cw", {"initial_c": 0.0}, "initial_c 0.0 must be above 0"),
        ("cw", {"confidence": float("nan")}, "confidence nan must be at least 0"),
        ("cw-audio", {"step_size": 0.0}, "step_size 0.0 must be above 0"),
        ("cw-audio", {"shrink": 1.0}, "shrink 1.0 must lie between 0 and 1"),
        ("psychoacoustic", {"hiding_steps": 0}, "hiding_steps 0 must be at least 1"),
        ("psychoacoustic", {"alpha": 0.0}, "alpha 0.0 must be above 0"),
        ("genetic", {"population": 1}, "population 1 must be at least 2"),
        ("genetic", {"crossover": "zip"}, "crossover 'zip' must be one of blocks, uniform"),
        ("genetic", {"mutation_rate": 1.5}, "mutation_rate 1.5 must be at most 1"),
        ("genetic", {"elite": 11}, "elite 11 must be at most population 10"),
        ("hill-climber", {"mutation_size": 0.0}, "mutation_size 0.0 must be above 0"),
        ("hill-climber", {"domain": "mel"}, "domain 'mel' must be one of stft, waveform"),
        ("random-search", {"queries": 0}, "queries 0 must be at least 1"),
    ],
)
def test_impossible_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        ATTACKS[name](**options)
