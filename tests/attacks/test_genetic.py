"""Evolution and its controls: budgets of queries, what is inherited, and who is better."""

from dataclasses import replace
from math import inf

import pytest
import torch
from small import clips, network, run, threat_to

from robustaudio.attacks import Genetic, HillClimber, RandomSearch
from robustaudio.attacks.genomes import Canvas, block_of, streams
from robustaudio.attacks.search import Search
from robustaudio.progress import Enough
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF

LONG = 2_048  # samples: several frames of the canvas's STFT
GENETIC = Genetic(queries=300, population=8, offspring=12, stops=False)


def long_clips(count: int = 2) -> torch.Tensor:
    return torch.randn(count, LONG, generator=torch.Generator().manual_seed(5)) * 0.1


def linear(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Linear(LONG, 3)


def gain(attack, model, x, epsilon: float = 0.5, seed: int = 0) -> torch.Tensor:
    """How much the loss towards the next label rises."""
    criterion = TargetedMisclassification((model(x).argmax(1) + 1) % 3)
    result = run(attack, x, epsilon, L2, criterion=criterion, model=model, seed=seed)
    with torch.no_grad():
        return criterion.loss(model(result.adversarial)) - criterion.loss(model(x))


OPTIONS = (
    {}, {"domain": "waveform"}, {"selection": "rank"}, {"crossover": "uniform"},
    {"crossover": "average", "mutation": "everywhere"}, {"momentum": 0.9, "mutation_rate": 0.1},
    {"survivors": "comma", "elite": 2}, {"survivors": "comma", "elite": 0}, {"patience": 1},
    {"weight": 1.0}, {"weight": 0.1, "distance": "nmr"},
)  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_kind_of_evolution_gains_within_its_queries(options):
    model, x = linear(), long_clips()
    attack = replace(GENETIC, **options)
    criterion = TargetedMisclassification((model(x).argmax(1) + 1) % 3)
    result = run(attack, x, 0.5, L2, criterion=criterion, model=model)
    assert result.queries.tolist() == [attack.queries] * 2
    with torch.no_grad():
        gained = criterion.loss(model(result.adversarial)) - criterion.loss(model(x))
    assert (gained > 0).all()


@pytest.mark.parametrize("queries", [1, 7, 8, 9, 25, 300])
@pytest.mark.parametrize("kind", [Genetic, HillClimber, RandomSearch])
def test_no_more_is_asked_than_was_allowed(kind, queries):
    x = clips(count=3)
    result = run(kind(queries=queries, stops=False), x, 1e-4)
    assert result.queries.tolist() == [queries] * 3


def test_evolution_and_climbing_are_better_than_luck():
    model, x = linear(), long_clips(4)
    found = {
        kind: gain(kind(queries=2000, stops=False), model, x).median()
        for kind in (Genetic, HillClimber, RandomSearch)
    }
    assert found[Genetic] > 2 * found[RandomSearch]
    assert found[HillClimber] > 2 * found[RandomSearch]


def test_nothing_gains_more_than_the_linear_optimum():
    """For margins w.x the best l2 perturbation is epsilon w / |w|: a closed form above all."""
    model, x, epsilon = linear(), long_clips(), 0.05
    label = model(x).argmax(1)
    criterion = TargetedMisclassification((label + 1) % 3)
    weight = model.weight[criterion.target] - model.weight[label]
    best = epsilon * weight.norm(dim=1)
    result = run(GENETIC, x, epsilon, L2, criterion=criterion, model=model)
    moved = ((result.adversarial - x) * weight).sum(1)
    assert (moved <= best * (1 + 1e-5)).all() and (moved > 0).all()


@pytest.mark.parametrize("options", [{}, {"weight": 0.1, "distance": "nmr"}], ids=str)
def test_under_plus_the_best_is_never_lost(options):
    told = []
    run(
        replace(GENETIC, **options),
        long_clips(1),
        0.3,
        L2,
        model=linear(),
        progress=lambda s, step: told.append(step),
    )
    best = [step.population.best for step in told]
    assert best == sorted(best) and (options or best[-1] > best[0])
    assert all(step.population.diversity >= 0 for step in told)
    assert all(step.population.mean <= step.population.best < inf for step in told)


def test_enough_ends_a_search_with_what_it_has():
    def enough(share: float, step) -> None:
        if share > 0.3:
            raise Enough

    whole, part = (run(GENETIC, clips(), 0.3, progress=p) for p in (None, enough))
    assert (part.queries < whole.queries).all() and (part.queries > 0).all()
    assert part.is_adversarial.any()


def test_the_best_so_far_can_be_heard_on_the_way():
    heard = []
    result = run(GENETIC, clips(), 0.3, progress=lambda s, step: heard.append(step.best()))
    assert torch.equal(heard[-1], result.adversarial)
    assert all(step.best is None for step in result.history)


def test_who_is_to_weigh_audibility_needs_the_masking_threshold():
    attack, model, x = Genetic(weight=1.0, distance="nmr"), network(), clips()
    assert attack.needs_threshold and not Genetic(weight=1.0).needs_threshold
    threat = replace(threat_to(attack, x, 0.1), threshold=None)
    criterion = Misclassification(model(x).argmax(1))
    with pytest.raises(ValueError, match="'nmr' needs the masking threshold"):
        attack(model, x, criterion, threat, generator=torch.Generator())


@pytest.mark.parametrize("norm, epsilon", [(LINF, 0.01), (L2, 0.2)])
@pytest.mark.parametrize("domain", ["stft", "waveform"])
def test_what_is_heard_is_what_the_genomes_say_and_stays_in_the_ball(norm, epsilon, domain):
    model, x = linear(), long_clips()
    threat = threat_to(GENETIC, x, epsilon, norm)
    search = Search(model, x, Misclassification(model(x).argmax(1)), threat)
    canvas, index = Canvas.of(search, domain), search.everything
    genomes = canvas.blank(2, 3)
    for row, stream in enumerate(streams(x, torch.Generator().manual_seed(0))):
        for member in (1, 2):
            canvas.mutate(genomes[row, member], row, 1.0, stream)
    points = canvas.points(genomes, index)
    delta = points - x[:, None]
    assert (threat.distance(delta[:, 1]) <= threat.epsilon * (1 + 1e-5)).all()
    assert (delta[:, 0] == 0).all() and (delta[:, 1:].flatten(2).norm(dim=2) > 0).all()
    if norm is L2:  # a projection onto its ball is a scale, which the genomes share
        assert torch.allclose(canvas.points(genomes.clone(), index), points, atol=1e-5)


def test_blocks_lie_inside_and_come_in_all_sizes():
    stream, genome = torch.Generator().manual_seed(0), torch.zeros(40, 30)
    sizes = []
    for _ in range(300):
        part = genome[block_of(genome, stream)]
        assert part.numel() > 0
        sizes.append(part.shape)
    assert {h for h, _ in sizes} >= {1, 40} and {w for _, w in sizes} >= {1, 30}


def test_every_clip_draws_from_a_stream_of_its_own():
    x = clips(count=4)
    drawn = [torch.rand(3, generator=s) for s in streams(x, torch.Generator().manual_seed(1))]
    alone = torch.rand(3, generator=streams(x[2:3], torch.Generator().manual_seed(1))[0])
    other = torch.rand(3, generator=streams(x[2:3], torch.Generator().manual_seed(2))[0])
    assert torch.equal(drawn[2], alone) and not torch.equal(alone, other)
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("domain", ["stft", "waveform"])
def test_genomes_that_were_too_loud_shrink_to_what_is_heard(domain):
    """Else mutations, which are as long as the ball is wide, would soon be lost in them."""
    model, x = linear(), long_clips()
    threat = threat_to(GENETIC, x, 0.2, L2)
    search = Search(model, x, Misclassification(model(x).argmax(1)), threat)
    canvas = Canvas.of(search, domain)
    genomes = canvas.blank(2, 1)
    for row, stream in enumerate(streams(x, torch.Generator().manual_seed(0))):
        canvas.mutate(genomes[row, 0], row, 1.0, stream, blocks=False)
        genomes[row, 0] *= 100 * canvas.scale[row] / genomes[row, 0].norm()
    points = canvas.points(genomes, search.everything)
    assert torch.allclose((points[:, 0] - x).norm(dim=1), torch.tensor(0.2), rtol=1e-4)
    assert (genomes.flatten(1).norm(dim=1) < 3 * canvas.scale).all()
