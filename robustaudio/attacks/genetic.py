"""A genetic algorithm, which only asks the model and follows no gradient."""

from dataclasses import dataclass
from itertools import compress
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.genomes import (
    DOMAIN,
    QUERIES,
    SIZE,
    STOPS,
    Canvas,
    Genome,
    Genomes,
    block_of,
    streams,
)
from robustaudio.attacks.search import Population, Rank, Search, surest
from robustaudio.audio.draws import Randomness
from robustaudio.options import option
from robustaudio.perception.audibility import noise_to_mask_ratio, total_noise_to_mask_db
from robustaudio.perception.levels import l2
from robustaudio.threats.geometry import TINY

DB_PER_UNIT = 10.0  # of noise-to-mask ratio, in a fitness of log-probabilities
# genomes that are turned into sound and judged at once: what a CPU's cache holds, and what bounds
# the memory of a GPU
ON_CPU, ELSEWHERE = 8, 512
MOMENTUM_STEP = 1e-3  # beta of the mutation rate's momentum (Taori et al. 2018)


@dataclass(frozen=True)
class Genetic(Attack):
    """A population of perturbations that are selected, crossed and mutated.

    Fitness is the criterion's loss (towards a target: its log-probability) minus `weight` times a
    distance: the perturbation's RMS over the clip's, or its noise-to-mask ratio in units of 10 dB,
    where it is above 0 dB: what is hidden costs nothing.
    Parents come by tournament, or by rank with a chance that falls linearly. Children are crossed
    by blocks of bands and times, bin by bin, or averaged; they mutate by noise in one block, or
    everywhere. The next population are the best of old and new (mu + lambda), or of the new and
    an elite. With momentum the mutation rate rises while the best stands still (Taori et al. 2018,
    arXiv:1805.07820, after the audio attack of Alzantot et al. 2018, arXiv:1801.00554). After
    `patience` generations without progress all but the best start anew.
    """

    title: ClassVar[str] = "Genetic algorithm"
    needs_gradient: ClassVar[bool] = False

    queries: int = QUERIES
    population: int = option(10, "mu: who lives", 2, 200, least=2)
    offspring: int = option(20, "lambda: children of a generation", 1, 400)
    domain: str = DOMAIN
    selection: str = option("tournament", "how parents are chosen", choices=("tournament", "rank"))
    tournament: int = option(3, "members of a tournament", 1, 20)
    crossover: str = option(
        "blocks", "how two parents mix", choices=("blocks", "uniform", "average")
    )
    crossover_rate: float = option(0.7, "share of children of two parents", 0, 1, least=0, most=1)
    mutation: str = option("blocks", "where a child mutates", choices=("blocks", "everywhere"))
    mutation_rate: float = option(0.9, "share of children that mutate", 0, 1, least=0, most=1)
    mutation_size: float = SIZE
    momentum: float = option(
        0.0, "of the mutation rate; 0: the rate is constant", 0, 0.99, least=0, most=1
    )
    survivors: str = option(
        "plus", "plus: old and new compete; comma: only the new", choices=("plus", "comma")
    )
    elite: int = option(1, "of the old that live on under comma", 0, 50, least=0)
    patience: int = option(20, "generations without progress until a restart", 1, 1000)
    weight: float = option(0.0, "of the distance in the fitness", 0, 100, least=0)
    distance: str = option("rms", "the distance in the fitness", choices=("rms", "nmr"))
    stops: bool = STOPS

    def __post_init__(self):
        super().__post_init__()
        if self.elite > self.population:
            raise ValueError(f"elite {self.elite} must be at most population {self.population}.")

    @property
    def needs_threshold(self) -> bool:
        """Whether the fitness asks for the clips' masking threshold."""
        return self.weight > 0 and self.distance == "nmr"

    def run(self, search: Search, generator: Randomness) -> None:
        """
        Raises:
            ValueError: if it is to weigh audibility, and the threat has no masking threshold.
        """
        if self.needs_threshold and search.threat.threshold is None:
            raise ValueError("the distance 'nmr' needs the masking threshold of the clips.")
        _Evolution(self, search, streams(search.x, generator)).run()


class _Evolution:
    """The state of a genetic search: genomes, fitness, rates and randomness of the items."""

    def __init__(self, options: Genetic, search: Search, sources: list[torch.Generator]):
        self.options, self.search, self.streams = options, search, sources
        self.canvas = Canvas.of(search, options.domain)
        self.index = search.everything
        self.rank: Rank | None = None if options.stops else surest
        self.rate = [options.mutation_rate] * len(self.index)
        self.stale = [0] * len(self.index)  # generations without progress
        self.asked = min(options.population, options.queries)
        self.genomes = self.canvas.blank(len(self.index), self.asked)
        for row in range(len(self.index)):
            for member in range(1, self.asked):  # the first is the clip itself
                self._mutate(self.genomes[row, member], row)
        self.fitness = self._judge(self.genomes)

    def run(self) -> None:
        self._report()
        while self._leave() and self.asked < self.options.queries:
            count = min(self.options.offspring, self.options.queries - self.asked)
            children = self._children(count)
            fitness = self._judge(children)
            self.asked += count
            before = self.fitness.amax(1)
            self._survive(children, fitness)
            self._adapt((self.fitness.amax(1) - before).tolist())
            self._report()

    def _judge(self, genomes: Genomes) -> Float[Tensor, "item member"]:
        """Fitness; asks the model about every genome."""
        sounds = ON_CPU if genomes.device.type == "cpu" else ELSEWHERE
        fitness = []
        for some in genomes.split(max(1, sounds // len(self.index)), 1):
            points = self.canvas.points(some, self.index)
            fitness.append(self.search.survey(points, self.index, self.rank))
            if self.options.weight:
                fitness[-1] = fitness[-1] - self.options.weight * self._distance(points)
        return torch.cat(fitness, 1)

    def _distance(self, points: Float[Tensor, "item member *shape"]) -> Tensor:
        each = self.index.repeat_interleave(points.shape[1])
        x, threshold = self.search.x[each], self.search.threat.threshold
        delta = points.flatten(0, 1) - x
        if self.options.distance == "nmr" and threshold is not None:
            ratio = noise_to_mask_ratio(delta, threshold[each])
            distance = total_noise_to_mask_db(ratio).clamp_min(0) / DB_PER_UNIT
        else:
            distance = l2(delta) / l2(x).clamp_min(TINY)
        return distance.unflatten(0, points.shape[:2])

    def _children(self, count: int) -> Genomes:
        """Copies of their mothers, crossed with their fathers, mutated."""
        best_first = self.fitness.argsort(dim=1, descending=True, stable=True)
        mothers, fathers = (
            best_first.gather(1, self._drawn(count).to(best_first.device)) for _ in range(2)
        )
        rows = torch.arange(len(mothers), device=mothers.device)[:, None]
        children = self.genomes[rows, mothers]
        chances = torch.stack([torch.rand(count, 2, generator=s) for s in self.streams]).tolist()
        for row, of_row in enumerate(chances):
            for member, (crossing, mutating) in enumerate(of_row):
                child = children[row, member]
                if crossing < self.options.crossover_rate:
                    self._cross(child, self.genomes[row, fathers[row, member]], row)
                if mutating < self.rate[row]:
                    self._mutate(child, row)
        return children

    def _drawn(self, count: int) -> Int[Tensor, "item member"]:
        """Who has a child, as places from the best (0): the best of a tournament, or by rank."""
        members = self.fitness.shape[1]
        ranked = self.options.selection == "rank"
        of_each = 1 if ranked else self.options.tournament
        u = torch.stack([torch.rand(count, of_each, generator=s) for s in self.streams])
        share = 1 - u[..., 0].sqrt() if ranked else u.amin(2)
        return (share * members).long().clamp_max(members - 1)

    def _cross(self, child: Genome, father: Genome, row: int) -> None:
        stream = self.streams[row]
        match self.options.crossover:
            case "blocks":
                block = block_of(child, stream)
                child[block] = father[block]
            case "uniform":
                taken = (torch.rand(child.shape, generator=stream) < 0.5).to(child.device)
                child.copy_(torch.where(taken, father, child))
            case "average":
                child.add_(father).mul_(0.5)

    def _mutate(self, genome: Genome, row: int) -> None:
        item, blocks = int(self.index[row]), self.options.mutation == "blocks"
        self.canvas.mutate(
            genome, item, self.options.mutation_size, self.streams[row], blocks=blocks
        )

    def _survive(self, children: Genomes, fitness: Tensor) -> None:
        """The best of old and new live on, or those of the new and the elite; in place."""
        members = self.fitness.shape[1]
        old = self.fitness
        if self.options.survivors == "comma" and fitness.shape[1] + self.options.elite >= members:
            least = old.topk(max(1, self.options.elite), 1).values[:, -1:]
            old = old.where((old >= least) & (self.options.elite > 0), -torch.inf)
        best = torch.cat([old, fitness], 1).topk(members, 1).indices
        for row, chosen in enumerate(best.tolist()):
            dead = sorted(set(range(members)) - set(chosen))
            born = [place - members for place in chosen if place >= members]
            self.genomes[row, dead] = children[row, born]
            self.fitness[row, dead] = fitness[row, born]

    def _adapt(self, gains: list[float]) -> None:
        """The mutation rate's momentum; a new start for items that progress has left."""
        momentum = self.options.momentum
        for row, gained in enumerate(gains):
            if momentum:
                rate = momentum * self.rate[row] + MOMENTUM_STEP / max(abs(gained), TINY)
                self.rate[row] = min(1.0, rate)
            self.stale[row] = 0 if gained > 0 else self.stale[row] + 1
            if self.stale[row] >= self.options.patience:  # all but the best are unborn
                best = int(self.fitness[row].argmax())
                others = torch.arange(self.fitness.shape[1], device=self.fitness.device) != best
                self.genomes[row, others] = 0
                self.fitness[row, others] = -torch.inf
                self.stale[row] = 0

    def _leave(self) -> bool:
        """Items with a success leave; whether any is left."""
        going = [not self.options.stops or not bool(self.search.succeeded[i]) for i in self.index]
        if not all(going):
            rows = torch.tensor(going, device=self.index.device)
            self.index, self.genomes, self.fitness = (
                old[rows] for old in (self.index, self.genomes, self.fitness)
            )
            self.streams = [*compress(self.streams, going)]
            self.rate, self.stale = [*compress(self.rate, going)], [*compress(self.stale, going)]
        return any(going)

    def _report(self) -> None:
        if self.search.progress:
            born = self.fitness.isfinite()
            apart = self.genomes - self.genomes.mean(1, keepdim=True)
            apart = torch.view_as_real(apart) if apart.is_complex() else apart
            spread = l2(apart.flatten(0, 1))
            allowed = self.canvas.scale[self.index].clamp_min(TINY)
            generation = Population(
                best=float(self.fitness.amax(1).mean()),
                mean=float(self.fitness[born].mean()),
                diversity=float((spread.unflatten(0, born.shape).mean(1) / allowed).mean()),
                queries=self.asked,
            )
            self.search.report(self.asked / self.options.queries, generation)
