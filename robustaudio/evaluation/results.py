"""The results of every verb, as frozen dataclasses; `to_json` alone makes records of them.

A field is a key of the record, in this order, unless its `Entry` says otherwise; `Carried` fields
(sounds, certificates) stay in the program. Levels are in dB; None is a level that does not exist.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, TypeVar

from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import Attack, Population
from robustaudio.certification.certificate import Certificate
from robustaudio.certification.smoothing import Smoothing
from robustaudio.threats.norms import LINF, Norm

AXIS = LINF  # the norm of the ruler's axis


@dataclass(frozen=True)
class Entry:
    """How a record holds a field: by a function, under another key, unnested, or not at all.

    A `carried` field stays in the program, a `by_level` one in the first line of a file of rows.
    """

    by: Callable[[Any], Any] | None = None
    key: str = ""
    inline: bool = False
    carried: bool = False
    by_level: bool = False


Value = TypeVar("Value")
Carried = Annotated[Value, Entry(carried=True)]


def to_json(result: Any) -> dict[str, Any]:
    """The record of a result: what the command line prints and a report holds.

    >>> to_json(Prediction(classifier="toy", prediction="a", probabilities={"a": 1.0}))
    {'classifier': 'toy', 'prediction': 'a', 'probabilities': {'a': 1.0}}
    """
    record = {}
    for declared in fields(result):
        notes = getattr(declared.type, "__metadata__", ())
        entry = next((note for note in notes if isinstance(note, Entry)), Entry())
        if entry.carried or entry.by_level:
            continue
        value = getattr(result, declared.name)
        value = entry.by(value) if entry.by else plain(value)
        if entry.inline:
            record |= value
        else:
            record[entry.key or declared.name] = value
    return record


def plain(value: Any) -> Any:
    """A value as JSON has it: results at any depth are records."""
    if isinstance(value, Norm):
        return value.name
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


@dataclass(frozen=True)
class Prediction:
    """The label that a classifier gives a clip, and the probability of each."""

    classifier: str
    prediction: str
    probabilities: dict[str, float]

    @property
    def index(self) -> int:
        """Number of the predicted label."""
        return list(self.probabilities).index(self.prediction)


@dataclass(frozen=True)
class Difference:
    """Distances of a perturbed clip from its clean one, as `perception.audibility` defines them."""

    l2: float | None
    linf: float | None
    level_db: float | None
    snr_db: float | None
    si_sdr_db: float | None
    log_spectral_distance_db: float | None
    noise_to_mask_db: float | None
    max_noise_to_mask_db: float | None
    disturbed_frames: float | None
    perceptual_distance: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class PerturbedClip:
    """A perturbed waveform beside the clean one: predictions, distances, what 16 bits leave."""

    clean: Carried[Float[Tensor, " time"]]
    perturbed: Carried[Float[Tensor, " time"]]
    before: Carried[Prediction]
    classifier: str
    clean_prediction: str
    prediction: str
    probabilities: dict[str, float]
    difference: Annotated[Difference, Entry(inline=True)]
    prediction_after_rounding: str
    success_after_rounding: bool

    @property
    def perturbation(self) -> Float[Tensor, " time"]:
        return self.perturbed - self.clean


@dataclass(frozen=True)
class Standing:
    """Where an attack on one clip stands; the level is that of the threat's norm.

    `sound()` is the best perturbed clip so far, as long as the attack runs.
    """

    loss: float
    level_db: float | None
    population: Population | None = None
    sound: Callable[[], Tensor] | None = field(default=None, compare=False, repr=False)


def course(history: Sequence[Standing]) -> dict[str, Any]:
    """The record of a search: losses and levels by step, and a population's numbers."""
    generations = [asdict(step.population) for step in history if step.population]
    names = generations[0] if generations else ()
    return {
        "history": [step.loss for step in history],
        "history_level_db": [step.level_db for step in history],
        "generations": {name: [each[name] for each in generations] for name in names},
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class AttackedClip(PerturbedClip):
    """An attack on one clip: `success` at what was attacked, `success_of_sound` of its sound.

    `budget_db` is the level allowed, `reached_db` the one used, both in the threat's norm.
    """

    success: bool
    success_of_sound: bool
    attack: str
    norm: Norm
    representation: str
    survive_rounding: bool
    settings: Attack
    output: str | None = None
    targeted: bool
    target: str | None
    budget_db: float
    reached_db: float | None
    queries: int
    course: Annotated[tuple[Standing, ...], Entry(by=course, inline=True)]
    seed: int
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class NoisyClip(PerturbedClip):
    """Gaussian noise at a representation, and what its inversion to a sound loses."""

    representation: str
    sigma: float
    prediction_at_representation: str
    inversion_loss_db: float | None
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class MaximisedClip(PerturbedClip):
    """The surest sound of a label within a level, in dB of full scale."""

    attack: str
    label: str
    probability_before: float
    probability: float
    level_full_scale_db: float
    queries: int
    course: Annotated[tuple[Standing, ...], Entry(by=course, inline=True)]
    seed: int
    seconds: float


@dataclass(frozen=True)
class MaskingAssumptions:
    """What a masking set supposes: whose frames, and how loud the clip is played."""

    assumed_peak_spl_db: float
    frame_ms: float
    hop_ms: float
    pre_emphasis: float


@dataclass(frozen=True, kw_only=True)
class VerifiedClip:
    """The verdict at a level, bounds of all logits there, and the largest level that verifies.

    `worst_logits` is how far each other label can come, relative to the prediction: positive could
    win.
    """

    classifier: str
    prediction: str
    certificate: Carried[Certificate | None]
    norm: Norm
    method: str
    level_db: float
    epsilon: float
    verified: bool
    worst_logits: dict[str, float]
    logits_lower: dict[str, float]
    logits_upper: dict[str, float]
    largest_level_db: float | None
    duration_s: float
    masking: MaskingAssumptions | None
    floor_16_bit_db: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CertifiedClip:
    """The smoothed classifier's class and radius on one clip, with the votes.

    `n` counts the votes, which are fewer than the smoothing's where it was ended early.
    """

    classifier: str
    clean_prediction: str
    prediction: str | None
    certificate: Carried[Certificate]
    radius: float
    norm: Norm
    representation: str
    confidence: float
    p_lower: float
    counts: dict[str, int]
    level_l2_db: float | None
    level_linf_db: float | None
    smoothing: Annotated[Smoothing, Entry(inline=True)]
    n: int
    largest_radius: float
    seed: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TargetLevels:
    """The smallest level found by target; None where the attack found nothing."""

    classifier: str
    prediction: str
    attack: str
    norm: Norm
    representation: str
    survive_rounding: bool
    settings: Attack
    levels_db: dict[str, float | None]
    queries: int
    seed: int
    seconds: float


@dataclass(frozen=True)
class Mark:
    """A level on the ruler: what kind, in which norm, and what made it.

    A "verified" level bounds the clip's true one from below, an "attacked" one from above;
    "floor_16_bit" is a step of a 16-bit file. A "smoothed" one is the largest linf ball inside the
    certified l2 ball of the smoothed classifier, None where that certifies another label.
    """

    kind: str
    norm: Norm
    source: str
    level_db: float | None


def levels_by_mark(marks: Sequence[Mark]) -> dict[str, float | None]:
    """The record of the marks; those of the ruler's own axis are not named after their norm."""
    return {
        f"{mark.kind}{'' if mark.norm is AXIS else f'_{mark.norm.name}'}_db": mark.level_db
        for mark in marks
    }


def named_options(attack: Attack) -> dict[str, Any]:
    """The record of an attack: its name beside its options."""
    return {"name": type(attack).__name__, **asdict(attack)}


def counted_smoothing(clip: CertifiedClip) -> dict[str, Any]:
    """The record of a smoothing, with the votes that were counted."""
    return asdict(clip.smoothing) | {"n": clip.n}


@dataclass(frozen=True, kw_only=True)
class Ruler:
    """What is proven and what is broken of one clip and one classifier, as marks on an axis.

    Levels in "linf" are relative to the clip's peak, in "l2" to its l2 norm (minus the SNR), in
    "masking" to its masking threshold. `unproven` says why there is no proof; `ended` names the
    parts that were ended early.
    """

    classifier: str
    prediction: str
    marks: Annotated[tuple[Mark, ...], Entry(by=levels_by_mark, key="ruler")]
    method: str
    norms: tuple[Norm, ...]
    unproven: str | None
    smoothed_prediction: str | None
    attack: Annotated[Attack, Entry(by=named_options)]
    smoothed: Annotated[CertifiedClip, Entry(by=counted_smoothing, key="smoothing")]
    ended: tuple[str, ...]
    seed: int
    seconds: float

    def level_db(self, kind: str, norm: Norm = AXIS) -> float | None:
        """The level of a mark; None where there is none."""
        levels = (m.level_db for m in self.marks if (m.kind, m.norm) == (kind, norm))
        return next(levels, None)

    @property
    def is_consistent(self) -> bool:
        """Whether every proof lies below the attack in its norm, as it must."""
        pairs = ((self.level_db("verified", n), self.level_db("attacked", n)) for n in self.norms)
        return all(low is None or high is None or low < high for low, high in pairs)


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One perturbed waveform: "given", "noise" or "shift"; its sizes and the decision on it."""

    kind: Carried[str]
    perturbed: Carried[Float[Tensor, " time"]]
    l2: float | None
    snr_db: float | None
    noise_to_mask_db: float | None
    prediction: str


@dataclass(frozen=True)
class OfNoises:
    """A number of each of the two noises in dB."""

    shaped: float | None
    white: float | None


@dataclass(frozen=True, eq=False)
class NoisePair:
    """Noise that lies under the masking threshold, and white noise of the same energy."""

    shaped: Carried[Float[Tensor, " time"]]
    white: Carried[Float[Tensor, " time"]]
    level_db: float
    seed: int
    snr_db: float | None
    exceeds_threshold_db: OfNoises
    noise_to_mask_db: OfNoises
