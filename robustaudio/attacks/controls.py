"""What a genetic algorithm has to be better than: luck, and a single line of descent."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.genomes import DOMAIN, QUERIES, SIZE, STOPS, Canvas, streams
from robustaudio.attacks.search import Search, surest
from robustaudio.audio.draws import Randomness
from robustaudio.options import option


@dataclass(frozen=True)
class RandomSearch(Attack):
    """Independent random points of the ball, the best of which is kept: what luck alone finds.

    Uniform in an l2 or linf ball; with `blocks`, noise in one block, as the genetic search mutates.
    """

    title: ClassVar[str] = "Random search"
    needs_gradient: ClassVar[bool] = False

    queries: int = QUERIES
    at_once: int = option(50, "points per batch", 1, 400)
    blocks: bool = option(False, "noise in one block, not in the whole clip")
    stops: bool = STOPS

    def run(self, search: Search, generator: Randomness) -> None:
        rank = None if self.stops else surest
        canvas = Canvas.of(search, "stft")
        sources = streams(search.x, generator, "cpu" if self.blocks else search.x.device)
        search.survey(search.x[:, None], search.everything, rank)
        search.report(0)
        for asked in range(1, self.queries, self.at_once):
            index = _going(search, self.stops)
            if not len(index):
                return
            count = min(self.at_once, self.queries - asked)
            drawn = [self._drawn(canvas, int(i), count, sources[int(i)]) for i in index]
            search.survey(torch.cat(drawn), index, rank)
            search.report((asked + count) / self.queries)

    def _drawn(
        self, canvas: Canvas, item: int, count: int, stream: torch.Generator
    ) -> Float[Tensor, "1 member *shape"]:
        search = canvas.search
        index = torch.tensor([item], device=search.x.device)
        if not self.blocks:
            each = index.repeat(count)
            return search.threat[each].sample(search.x[each], stream)[None]
        genomes = canvas.blank(1, count)
        for member in range(count):
            canvas.mutate(genomes[0, member], item, 1.0, stream)
        return canvas.points(genomes, index)


@dataclass(frozen=True)
class HillClimber(Attack):
    """One perturbation that mutates, and stays so if that is no loss: (1 + 1) selection.

    Its mutations are the genetic search's: this is evolution without a population.
    """

    title: ClassVar[str] = "Hill climber"
    needs_gradient: ClassVar[bool] = False

    queries: int = QUERIES
    domain: str = DOMAIN
    mutation_size: float = SIZE
    stops: bool = STOPS

    def run(self, search: Search, generator: Randomness) -> None:
        canvas, sources = Canvas.of(search, self.domain), streams(search.x, generator)
        index, rank = search.everything, None if self.stops else surest
        genomes = canvas.blank(len(index), 1)
        loss = search.survey(canvas.points(genomes, index), index, rank)
        search.report(0)
        for asked in range(1, self.queries):
            going = torch.isin(index, _going(search, self.stops))
            index, genomes, loss = index[going], genomes[going], loss[going]
            if not len(index):
                return
            changed = genomes.clone()
            for row, item in enumerate(index.tolist()):
                canvas.mutate(changed[row, 0], item, self.mutation_size, sources[item])
            now = search.survey(canvas.points(changed, index), index, rank)
            better = now >= loss
            genomes = torch.where(better[..., None, None], changed, genomes)
            loss = torch.where(better, now, loss)
            search.report(asked / self.queries)


def _going(search: Search, stops: bool) -> Int[Tensor, " item"]:
    return (~search.succeeded).nonzero().flatten() if stops else search.everything
