"""The card of a classifier, JSON beside its weights: what it is, how it was made, how it does."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.gain import PEAK, read_gain
from robustaudio.columns import is_number, is_text
from robustaudio.outside import shown

NEEDED = ("name", "task", "labels", "architecture", "sha256")  # what every card says
LONGEST_TEXT, MOST_LABELS = 2_000, 1_000  # characters


@dataclass(frozen=True)
class Accuracies:
    """Shares of the clips that are classified right, by data set; None: not measured."""

    validation: float | None = None
    rendered: float | None = None
    bundled: float | None = None
    test: float | None = None


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
        values = {}
        for name, value in vars(self).items():
            values |= self.more if name == "more" else _known({name: value})
        return values


@dataclass(frozen=True)
class Card:
    """What is known of a classifier beside its weights.

    `accuracies` and `verified` (the share that is proven, by threat and level in words) speak of
    the data that `test` describes. `more` holds what a card says beyond these fields, or of
    another type, so that nothing is lost when it is written again.
    """

    name: str
    task: str
    architecture: Architecture
    sha256: str  # of the file of the weights
    about: str = ""
    representations: tuple[str, ...] = ()
    accuracies: Accuracies = Accuracies()
    verified_validation: dict | None = None
    verified: dict | None = None
    test: str = ""
    data: str = ""
    licence: str = ""
    attribution: str = ""
    training: Training = field(default_factory=Training)
    more: dict = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Any) -> "Card":
        """The inverse of `to_json`.

        Raises:
            ValueError: if it lacks a key or holds what no card can, naming it.
            TypeError, AttributeError: for an architecture that is none.
        """
        check_card(data)
        read = {"architecture"}  # keys that are not compared with what the card says of them
        gain = PEAK
        if is_text(data.get("gain"), LONGEST_TEXT):
            gain = read_gain(data["gain"])
            read.add("gain")
        try:
            architecture = Architecture.from_json(data["architecture"], gain)
        except KeyError as error:
            raise ValueError(f"its architecture lacks {error}") from error
        if list(architecture.labels) != data["labels"]:
            raise ValueError("its labels are not its architecture's")
        values = _fitting(cls, data)
        if _are_texts(names := data.get("representations")):
            values["representations"] = tuple(names)
        if isinstance(training := data.get("training"), dict):
            values["training"] = Training.from_json(training)
        shares = {f.name: data.get(f"{f.name}_accuracy") for f in fields(Accuracies)}
        shares = {name: share for name, share in shares.items() if is_number(share)}
        card = cls(**values, architecture=architecture, accuracies=Accuracies(**shares))
        said = card.to_json()
        more = {k: v for k, v in data.items() if k not in read and said.get(k, ...) != v}
        return replace(card, more=more)

    def to_json(self) -> dict:
        """The card as it is stored and printed; what is not known is left out."""
        accuracies = {f"{name}_accuracy": value for name, value in asdict(self.accuracies).items()}
        values = {
            "name": self.name,
            "task": self.task,
            "about": self.about,
            "labels": list(self.architecture.labels),
            "sample_rate": self.architecture.sample_rate,
            "length": self.architecture.length,
            "representations": list(self.representations),
            "gain": str(self.architecture.gain),
            **accuracies,
            "verified_validation": self.verified_validation,
            "verified": self.verified,
            "test": self.test,
            "data": self.data,
            "licence": self.licence,
            "attribution": self.attribution,
            "training": self.training.to_json(),
            "sha256": self.sha256,
            "architecture": self.architecture.to_json(),
        }
        return _known(values) | self.more


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


def _fitting(kind: type, data: Mapping) -> dict:
    """The values that plain fields of a dataclass can hold, by name."""
    plain: Any = {f.name: f.type for f in fields(kind) if f.name != "more"}
    of_json = (str, int | None, float | None, dict | None)
    return {
        name: data[name]
        for name, hint in plain.items()
        if name in data and hint in of_json and isinstance(data[name], hint)
    }


def _known(values: dict) -> dict:
    """Without what is empty."""
    return {key: value for key, value in values.items() if value not in ("", None, [], {})}
