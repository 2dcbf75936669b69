"""The card of a classifier, JSON beside its weights: what it is, how it was made, how it does."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.gain import PEAK, Gain, read_gain
from robustaudio.classifiers.part import tuples
from robustaudio.columns import is_number, is_text
from robustaudio.outside import shown

NEEDED = ("name", "task", "labels", "architecture", "sha256")  # what every card says
LONGEST_TEXT, MOST_LABELS = 2_000, 1_000  # characters
PLAIN = (str, int | None, dict | None)


@dataclass(frozen=True)
class Training:
    """How a classifier was trained; `objective`, `schedule` and `more` are options by name."""

    command: str = ""
    cross_validation_accuracy: float | None = None
    objective: dict | None = None
    schedule: dict | None = None
    more: dict = field(default_factory=dict)
    seed: int | None = None
    seconds: int | None = None
    device: str = ""
    threads: int | None = None
    torch: str = ""
    robustaudio: str = ""
    date: str = ""

    @property
    def noise_sigma(self) -> float:
        """Standard deviation of the noise it was trained under; 0: under none."""
        match self.objective:
            case {"kind": "UnderNoise", "sigma": int() | float() as sigma}:
                return sigma
        return 0.0

    @classmethod
    def from_json(cls, data: dict) -> "Training":
        """The inverse of `to_json`; what fits no field is kept in `more`."""
        known = _fitting(cls, data)
        return cls(**known, more={key: data[key] for key in data if key not in known})

    def to_json(self) -> dict:
        """What is known, in the order of the fields."""
        return _known(self)


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a classifier beside its weights, in the order in which it is written.

    Accuracies are shares of the clips that are classified right (None: not measured), `verified`
    those that are proven, by threat and level in words; `test` describes the data of both. `more`
    holds what a card says beyond these fields, or of another type, so that nothing is lost when it
    is written again.
    """

    name: str
    task: str
    about: str = ""
    labels: tuple[str, ...] = field(init=False)  # as rate, length and gain: its architecture's
    sample_rate: int = field(init=False)
    length: int = field(init=False)
    representations: tuple[str, ...] = ()
    gain: Gain = field(init=False)
    validation_accuracy: float | None = None
    rendered_accuracy: float | None = None
    bundled_accuracy: float | None = None
    test_accuracy: float | None = None
    verified_validation: dict | None = None
    verified: dict | None = None
    test: str = ""
    data: str = ""
    licence: str = ""
    attribution: str = ""
    training: Training = field(default_factory=Training)
    sha256: str  # of the file of the weights
    architecture: Architecture
    more: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in ("labels", "sample_rate", "length", "gain"):
            object.__setattr__(self, name, getattr(self.architecture, name))

    @classmethod
    def from_json(cls, data: Any) -> "Card":
        """The inverse of `to_json`.

        Raises:
            ValueError: if it lacks a key or holds what no card can, naming it.
            TypeError, AttributeError: for an architecture that is none.
        """
        check_card(data)
        gain, read = PEAK, {"architecture"}
        if is_text(data.get("gain"), LONGEST_TEXT):
            gain, read = read_gain(data["gain"]), {"architecture", "gain"}
        try:
            architecture = Architecture.from_json(data["architecture"], gain)
        except KeyError as error:
            raise ValueError(f"its architecture lacks {error}") from error
        if list(architecture.labels) != data["labels"]:
            raise ValueError("its labels are not its architecture's")
        values = _fitting(cls, data)
        if isinstance(training := data.get("training"), dict):
            values["training"] = Training.from_json(training)
        card = cls(**values, architecture=architecture)
        said = card.to_json()
        more = {k: v for k, v in data.items() if k not in read and said.get(k, ...) != v}
        return replace(card, more=more)

    def to_json(self) -> dict:
        """The card as it is stored and printed; what is not known is left out."""
        return _known(self)


def check_card(data: Any) -> None:
    """Refuse what lacks a key that every card has, or holds what no name, task or label can be.

    Raises:
        ValueError: naming the first fault.
    """
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    if missing := [key for key in NEEDED if key not in data]:
        raise ValueError(f"it lacks {', '.join(map(repr, missing))}")
    for key in ("name", "task", "sha256"):
        if not is_text(data[key], LONGEST_TEXT) or not data[key]:
            raise ValueError(f"its {key!r} is {shown(data[key])}, and must be a text")
    labels = data["labels"]
    if not _are_texts(labels):
        raise ValueError("its 'labels' must be a list of texts")
    if not labels or len(set(labels)) < len(labels) or len(labels) > MOST_LABELS:
        raise ValueError(f"its 'labels' must be one to {MOST_LABELS}, each of them once")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(is_text(text, LONGEST_TEXT) for text in value)


def _fitting(kind: type, data: dict) -> dict:
    """The values that fields of a dataclass can hold, by name."""
    given = {f.name: f.type for f in fields(kind) if f.init and f.name in data}
    return {name: tuples(data[name]) for name, hint in given.items() if _fits(hint, data[name])}


def _fits(hint: Any, value: Any) -> bool:
    if hint == tuple[str, ...]:
        return _are_texts(value)
    if hint == float | None:
        return value is None or is_number(value)
    return hint in PLAIN and isinstance(value, hint)


def _known(value: Card | Training) -> dict:
    """The fields as JSON without those that are empty, and `more` as it is in its place."""
    known: dict[str, Any] = {}
    for f in fields(value):
        plain: Any = getattr(value, f.name)
        if isinstance(plain, Training | Architecture):
            plain = plain.to_json()
        elif isinstance(plain, Gain | tuple):
            plain = str(plain) if isinstance(plain, Gain) else list(plain)
        if f.name == "more":
            known |= plain
        elif plain not in ("", None, [], {}):
            known[f.name] = plain
    return known
