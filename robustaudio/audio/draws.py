"""Random numbers for a batch: from one source for all of it, or from one source per item."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

MOST_SEED = 10**15  # that a page or a file asks for: every JSON reader holds it exactly


@dataclass(frozen=True, eq=False)
class Generators:
    """One source of randomness per item: what an item draws does not depend on its batch."""

    each: tuple[torch.Generator, ...]

    @property
    def device(self) -> torch.device:
        return self.each[0].device if self.each else torch.device("cpu")

    def __len__(self) -> int:
        return len(self.each)

    def __getitem__(self, index: Iterable[int | Tensor]) -> "Generators":
        return Generators(tuple(self.each[int(at)] for at in index))

    def anew(self) -> "Generators":
        """The same sources from their beginning."""
        seeds = ((source.device, source.initial_seed()) for source in self.each)
        return Generators(tuple(torch.Generator(at).manual_seed(seed) for at, seed in seeds))


Randomness = torch.Generator | Generators


def uniform(like: Float[Tensor, "batch *shape"], generator: Randomness) -> Tensor:
    """Independent numbers from 0 to 1, in the shape of a batch.

    >>> source = torch.Generator().manual_seed(0)
    >>> uniform(torch.zeros(2, 3), source).shape
    torch.Size([2, 3])
    """
    return _drawn(torch.rand, like, generator)


def normal(like: Float[Tensor, "batch *shape"], generator: Randomness) -> Tensor:
    """Independent standard normal numbers, in the shape of a batch."""
    return _drawn(torch.randn, like, generator)


def _drawn(draw: Callable[..., Tensor], like: Tensor, generator: Randomness) -> Tensor:
    if isinstance(generator, torch.Generator):
        return draw(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    out = torch.empty_like(like, memory_format=torch.contiguous_format)
    for row, source in zip(out, generator.each, strict=True):
        row.copy_(draw(row.shape, generator=source, device=like.device, dtype=like.dtype))
    return out


def whole_numbers(below: int, count: int, generator: Randomness) -> list[int]:
    """A whole number from 0 on for each of `count` items; the same for all from one source."""
    each = generator.each if isinstance(generator, Generators) else [generator]
    drawn = [int(torch.randint(below, (), generator=s, device=s.device)) for s in each]
    return drawn if isinstance(generator, Generators) else drawn * count
