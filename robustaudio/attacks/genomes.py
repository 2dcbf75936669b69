"""Where searches without gradients draw: perturbations that change block by block.

A genome is a perturbation in a transform that is cut into blocks of bands and times: the STFT of a
waveform, with its phase, or the attacked tensor itself. Any mix of genomes is a genome; what it
makes of a clip is projected onto the threat.
"""

from dataclasses import dataclass
from hashlib import sha256

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustaudio.attacks.search import Search
from robustaudio.audio.draws import Randomness, whole_numbers
from robustaudio.options import option
from robustaudio.perception.levels import l2
from robustaudio.representations.inversion import inverse
from robustaudio.representations.spectral import Framing, Magnitude
from robustaudio.threats.geometry import TINY

Genome = Float[Tensor, "band time"]  # complex in the STFT
Genomes = Float[Tensor, "item member band time"]
FRAMING = Framing(n_fft=512, hop_length=256)
QUIETEST = 0.03  # length of a mutation, relative to the longest
SUSTAINED = 0.5  # share of the mutations that last as long as the clip

# options that several of the searches have
QUERIES = option(2500, "questions to the model", 50, 50_000)
STOPS = option(True, "stop at the first success; else: as sure as possible")
DOMAIN = option("stft", "what is mixed and mutated", choices=("stft", "waveform"))
SIZE = option(0.5, "of a mutation at most, as a share of the level", 0.01, 1, above=0, most=1)


@dataclass(frozen=True, eq=False)
class Canvas:
    """The genomes of a search's items; `scale` is how long the largest allowed one is (l2).

    The STFT is one of waveforms; other representations are drawn on directly.
    """

    search: Search
    stage: Magnitude | None
    scale: Float[Tensor, " item"]

    @classmethod
    def of(cls, search: Search, domain: str) -> "Canvas":
        """A canvas in the transform that is asked for, if it exists there."""
        x = search.x
        allowed = l2(search.threat.steepest(torch.ones_like(x)))
        if domain == "waveform" or search.threat.representation != "waveform":
            return cls(search, None, allowed)
        framing = FRAMING if x.shape[1] >= FRAMING.n_fft else Framing(x.shape[1], x.shape[1])
        stage = Magnitude(framing).to(x)
        # white noise is so much longer in the STFT: half of all frequencies, overlapping frames
        energy = framing.n_fft / 2 * float(stage.window.square().sum()) / framing.hop_length
        return cls(search, stage, allowed * energy**0.5)

    def blank(self, items: int, members: int) -> Genomes:
        """Genomes of no change."""
        x = self.search.x[:1]
        like = self.stage.spectrum(x) if self.stage else x.reshape(1, -1, x.shape[-1])
        return torch.zeros_like(like).repeat(items, members, 1, 1)

    def points(
        self, genomes: Genomes, index: Int[Tensor, " item"]
    ) -> Float[Tensor, "item member *shape"]:
        """What the genomes make of the clips, inside the threat; they shrink as that does."""
        items, members = genomes.shape[:2]
        rows = index.repeat_interleave(members)
        x, flat = self.search.x[rows], genomes.flatten(0, 1)
        delta = inverse(self.stage, flat, x.shape[-1]) if self.stage else flat.reshape(x.shape)
        points = self.search.threat[rows].project(x + delta, x)
        kept = (l2(points - x) / l2(delta).clamp_min(TINY)).clamp_max(1)
        numbers = torch.view_as_real(genomes) if genomes.is_complex() else genomes
        numbers *= kept.reshape(items, members, *[1] * (numbers.ndim - 2))
        return points.unflatten(0, (items, members))

    def mutate(
        self, genome: Genome, item: int, size: float, stream: torch.Generator, blocks: bool = True
    ) -> None:
        """Adds noise to one block or to everything, in place; it is up to `size` scales long."""
        part = genome[block_of(genome, stream)] if blocks else genome
        noise = torch.randn(part.shape, generator=stream, dtype=part.dtype).to(part.device)
        share = QUIETEST ** float(torch.rand((), generator=stream))
        length = float(self.scale[item]) * size * share
        part += noise * (length / float(noise.norm()))


def block_of(genome: Genome, stream: torch.Generator) -> tuple[slice, slice]:
    """A random block of bands and times, of any size: sides are uniform in their logarithm."""
    bands, times = genome.shape
    tall, wide, low, begin, sustained = torch.rand(5, generator=stream).tolist()
    height = round(bands**tall)
    width = times if sustained < SUSTAINED else round(times**wide)
    low, begin = int(low * (bands - height + 1)), int(begin * (times - width + 1))
    return slice(low, low + height), slice(begin, begin + width)


def streams(
    x: Float[Tensor, "item *shape"], generator: Randomness, device: str | torch.device = "cpu"
) -> list[torch.Generator]:
    """A source of randomness per item, seeded by the generator and by the item itself.

    What an item draws does not depend on the others of its batch.
    """
    drawn = whole_numbers(2**62, len(x), generator)
    seeds = (sha256(row.cpu().numpy().tobytes()).digest()[:8] for row in x.detach())
    return [
        torch.Generator(device).manual_seed((number ^ int.from_bytes(seed, "big")) % 2**63)
        for number, seed in zip(drawn, seeds, strict=True)
    ]
