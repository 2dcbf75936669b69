"""Norms as values: each holds all that is particular about it, and `NORMS` is how names are read.

>>> x = torch.tensor([[0.5, -0.25, 0.0]])
>>> LINF.epsilon(-20.0, x)  # 20 dB below the peak
tensor([0.0500])
>>> LINF.at(None).measure(torch.tensor([[0.05, -0.1, 0.0]]))
tensor([0.1000])
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.perception.levels import MAX_LEVEL_DB, amplitude_db, check_level, l2, linf
from robustaudio.perception.masking import MaskingThreshold
from robustaudio.threats.geometry import BOX, SPHERE, Geometry
from robustaudio.threats.masking_set import masking


@dataclass(frozen=True)
class Words:
    """How a norm's levels are spoken of, on the page and in reports."""

    relative_to: str  # what 0 dB is, of a waveform
    about: str  # what the level measures, and relative to what
    unit: str  # of a report's levels
    size: str = ""  # what 0 dB is at other representations, "the mel's largest value"


@dataclass(frozen=True)
class Levels:
    """The levels in dB of a norm: the ranges that are searched, and where a user begins."""

    attacked: tuple[float, float]  # where the smallest successful level is looked for
    bisected: tuple[float, float]  # where the largest proven level is looked for
    proven: tuple[float, float]  # offered for a proof
    attack: float  # of an attack on the command line
    start: float  # of an attack on the page
    asking: float  # of an attack without a gradient
    largest: float  # for an attack that looks for the smallest level by itself
    proof: float  # of a proof
    proofs: tuple[float, ...]  # of the proofs over a data set


@dataclass(frozen=True, eq=False)
class Norm:
    """A norm: its name, its words and levels, what 0 dB means, and its geometry.

    `reference(clean)` is the radius at 0 dB of each clean clip: its own size, or 1 where the
    threshold itself is the unit. `dual` is the exponent of the dual norm, None where the support
    function has no formula; `is_box`: the ball is the box of all coordinates within +-radius;
    `needs_threshold`: the ball is that of a clip, known by its masking threshold.
    """

    name: str
    symbol: str
    words: Words
    levels: Levels
    reference: Callable[[Tensor], Tensor]
    at: Callable[[MaskingThreshold | None], Geometry]
    dual: int | None = None
    is_box: bool = False
    needs_threshold: bool = False

    @property
    def title(self) -> str:
        """The symbol, to begin a line."""
        return self.symbol[0].upper() + self.symbol[1:]

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple:
        return norm_named, (self.name,)  # a copy, or what another process reads, is the same value

    def epsilon(
        self, level_db: float | Float[Tensor, " batch"], clean: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, " batch"]:
        """Radius at a level, or at one level per item.

        Raises:
            ValueError: as `check_level`, for any of the levels.
        """
        levels = torch.as_tensor(level_db, dtype=clean.dtype, device=clean.device)
        for outside in levels[~(levels.abs() <= MAX_LEVEL_DB)].flatten()[:1]:
            check_level(float(outside))
        return 10 ** (levels / 20) * self.reference(clean)

    def level_db(self, epsilon: float, clean: Float[Tensor, " *shape"]) -> float:
        """The level of a radius around one clip, the inverse of `epsilon`."""
        return amplitude_db(epsilon / float(self.reference(clean[None])[0]))


LINF = Norm(
    name="linf",
    symbol="L∞",
    words=Words(
        relative_to="the clip's peak",
        about="largest sample, relative to the clip's peak",
        unit="dB relative to the clip's peak",
        size="largest value",
    ),
    levels=Levels(
        attacked=(-120.0, 0.0), bisected=(-160.0, 0.0), proven=(-120.0, 0.0),
        attack=-40.0, start=-45.0, asking=-25.0, largest=0.0, proof=-70.0,
        proofs=(-110.0, -100.0, -90.0, -80.0, -70.0, -60.0, -50.0, -40.0, -36.0),
    ),
    reference=linf,
    at=lambda _: BOX,
    dual=1,
    is_box=True,
)  # fmt: skip
L2 = Norm(
    name="l2",
    symbol="L2",
    words=Words(
        relative_to="the clip's L2 norm",
        about="relative to the clip's L2 norm: minus the SNR",
        unit="dB relative to the clip's l2 norm (minus the SNR)",
        size="L2 norm",
    ),
    levels=Levels(
        attacked=(-120.0, 0.0), bisected=(-160.0, 0.0), proven=(-120.0, 0.0),
        attack=-40.0, start=-45.0, asking=-25.0, largest=0.0, proof=-70.0,
        proofs=(-100.0, -90.0, -80.0, -70.0, -60.0, -50.0, -40.0),
    ),
    reference=l2,
    at=lambda _: SPHERE,
    dual=2,
)  # fmt: skip
MASKING = Norm(
    name="masking",
    symbol="masking set",
    words=Words(
        relative_to="the masking threshold",
        about="relative to the clip's masking threshold on the classifier's own frames and bins, "
        "which is 0 dB",
        unit="dB relative to the clip's masking threshold",
    ),
    # it begins under hearing, and ends where the perturbation is as loud as the clip
    levels=Levels(
        attacked=(-60.0, 60.0), bisected=(-100.0, 60.0), proven=(-60.0, 20.0),
        attack=0.0, start=0.0, asking=20.0, largest=20.0, proof=-12.0,
        proofs=(-36.0, -24.0, -12.0, -6.0, 0.0),
    ),
    reference=lambda clean: clean.new_ones(len(clean)),
    at=masking,
    needs_threshold=True,
)  # fmt: skip
NORMS: dict[str, Norm] = {"linf": LINF, "l2": L2, "masking": MASKING}


def norm_named(name: str) -> Norm:
    """The norm of a name, as a file or a command line has it.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in NORMS:
        raise ValueError(f"no norm {name!r}; choose from {', '.join(NORMS)}.")
    return NORMS[name]
