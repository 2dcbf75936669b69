"""Checkpoints: weights in safetensors, everything else in a card beside them. Never a pickle."""

import hashlib
import json
import logging
import os
import tempfile
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import Architecture
from robustaudio.classifiers.svm import SvmArchitecture
from robustaudio.classifiers.weights import NotFinite, check_size, read_weights
from robustaudio.columns import is_text
from robustaudio.outside import read_json, shown
from robustaudio.paths import CHECKPOINTS

AnyArchitecture = Architecture | SvmArchitecture
UNUSABLE = (SafetensorError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError)
LFS = b"version https://git-lfs"
TEXTS = ("name", "task")  # what every card says, beside its labels, architecture and sha256
LONGEST_CARD, LONGEST_TEXT, MOST_LABELS = 1_000_000, 2_000, 1_000  # bytes, characters


def cards(folder: Path = CHECKPOINTS) -> dict[str, dict]:
    """The cards of the checkpoints in a folder that can be used, by their files' name.

    One that cannot be used is left out, with one warning: the others go on.
    """
    usable = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem):
        weights = path.with_suffix(".safetensors")
        if weights.is_file():
            try:
                load_classifier(weights)
                usable[path.stem] = read_card(weights)
            except ValueError as error:
                _warn(f"classifier {path.stem!r} is left out: {error}")
    return usable


def names(folder: Path = CHECKPOINTS, task: str | None = None) -> list[str]:
    """Checkpoints of a folder that can be used, of all tasks or of one."""
    return [name for name, card in cards(folder).items() if task in (None, card["task"])]


def read_card(name_or_path: str | os.PathLike) -> dict:
    """The card of a checkpoint: what it is, how it was trained, how it does.

    Raises:
        ValueError: if there is no such checkpoint, or its card cannot be read or lacks a key.
    """
    path = _weights_path(name_or_path).with_suffix(".json")
    try:
        card = read_json(path, LONGEST_CARD)
        if problem := _problem(card):
            raise ValueError(problem)
        build = architecture_of(card)
    except KeyError as error:
        raise ValueError(
            f"{path} is not a card that can be read: its architecture lacks {error}."
        ) from error
    except (TypeError, ValueError, AttributeError) as error:
        reason = str(error).removeprefix(f"{path} ").rstrip(".")
        raise ValueError(f"{path} is not a card that can be read: {reason}.") from error
    if list(build.labels) != card["labels"]:
        raise ValueError(
            f"{path} is not a card that can be read: its labels are not its architecture's."
        )
    return card


def _problem(card: object) -> str | None:
    """What a card lacks that its readers need (None: nothing)."""
    if not isinstance(card, dict):
        return "it is no JSON object"
    keys = (*TEXTS, "labels", "architecture", "sha256")
    if missing := [key for key in keys if key not in card]:
        return f"it lacks {', '.join(map(repr, missing))}"
    for key in (*TEXTS, "sha256"):
        if not is_text(card[key], LONGEST_TEXT) or not card[key]:
            return f"its {key!r} is {shown(card[key])}, and must be a text"
    labels = card["labels"]
    if not _is_list_of_texts(labels):
        return "its 'labels' must be a list of texts"
    if not labels or len(set(labels)) < len(labels) or len(labels) > MOST_LABELS:
        return f"its 'labels' must be one to {MOST_LABELS}, each of them once"
    return None


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(is_text(text, LONGEST_TEXT) for text in value)


def architecture_of(card: dict) -> AnyArchitecture:
    """What a card says of the classifier's build.

    Raises:
        TypeError, KeyError: if keys are missing or unknown.
    """
    data = card["architecture"]
    kind = SvmArchitecture if data["network"] == "svm" else Architecture
    return kind.from_json(data)


def load_classifier(
    name_or_path: str | os.PathLike, device: str | torch.device = "cpu"
) -> Classifier:
    """A classifier in evaluation mode, by name in `checkpoints/` or by the path of its weights.

    Raises:
        ValueError: if it is missing, is not safetensors, or does not match its card.
    """
    path, card = _weights_path(name_or_path), read_card(name_or_path)
    build, other = (
        architecture_of(card),
        f"{path.name} does not hold the weights its card describes",
    )
    try:
        shapes = build.shapes()
        check_size(path, shapes)
        if sha256(path) != card["sha256"]:
            pointer = f"{path.name} is a pointer of Git LFS, not the weights; run: git lfs pull."
            changed = f"{path.name} does not have the sha256 that its card names."
            raise NotLoaded(pointer if _is_pointer(path) else changed)
        classifier = build.build(card["name"])
        classifier.load_state_dict(read_weights(path, shapes))
        _check_finite(classifier.eval(), path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except (NotLoaded, NotFinite):
        raise
    except MemoryError as error:
        raise ValueError(f"{path.name} needs more memory than there is.") from error
    except UNUSABLE as error:
        raise ValueError(f"{other}: {_first_line(error)}") from error
    classifier.sha256 = card["sha256"]
    # TF32 rounds to 10 bits: logits would stray further from the proof's than its margin
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return classifier.to(device).eval()


class NotLoaded(ValueError):
    """Weights that are not those of their card."""


def _first_line(error: Exception) -> str:
    line = str(error).partition("\n")[0][:200].rstrip(".")
    return f"{line or type(error).__name__}."


@torch.no_grad()
def _check_finite(classifier: Classifier, path: Path) -> None:
    """Refuse weights that are finite, and so large that what they compute is not."""
    tone = torch.sin(0.3 * torch.arange(classifier.length))[None]
    if not bool(classifier(tone).isfinite().all()):
        raise NotFinite(f"{path.name} holds weights that overflow: a tone has logits beyond all.")


def save_classifier(
    classifier: Classifier, architecture: AnyArchitecture, card: dict, folder: Path
) -> Path:
    """Writes <name>.safetensors and <name>.json, both or none; returns the path of the weights.

    The card says `name`, `task` and `labels` at least; `sha256` and `architecture` are added.

    Raises:
        ValueError: if the card is not the classifier's, or what would be written cannot be read.
    """
    name = classifier.name
    if not name or Path(name).name != name or "\\" in name:
        raise ValueError(f"the classifier's name {name!r} must be the name of a file.")
    card = {**card, "sha256": "-", "architecture": architecture.to_json()}
    if problem := _problem(json.loads(json.dumps(card))):
        raise ValueError(f"the card of {name!r} cannot be written: {problem}.")
    for key, own in (("name", name), ("labels", list(classifier.labels))):
        if own != (list(card[key]) if key == "labels" else card[key]):
            raise ValueError(f"the card's {key} {card[key]!r} must be the classifier's, {own!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / f"{name}.safetensors"
        state = classifier.state_dict()
        save_file({key: value.contiguous().cpu() for key, value in state.items()}, path)
        text = json.dumps({**card, "sha256": sha256(path)}, indent=2)
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        load_classifier(path)  # what is written is what can be read
        for file in (path, path.with_suffix(".json")):
            file.replace(folder / file.name)
    return folder / path.name


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_pointer(path: Path) -> bool:
    """Whether Git LFS has left a few lines of text in place of a file."""
    with path.open("rb") as file:
        return file.read(len(LFS)) == LFS


def _weights_path(name_or_path: str | os.PathLike) -> Path:
    path = Path(name_or_path)
    if path.name != os.fspath(name_or_path) or path.suffix == ".safetensors":
        if path.suffix != ".safetensors" or not path.is_file():
            raise ValueError(f"{path} is not a .safetensors file.")
        return path
    found = CHECKPOINTS / f"{path.name}.safetensors"
    if not found.is_file():
        known = ", ".join(names()) or f"none: {CHECKPOINTS} holds no checkpoint that can be used"
        raise ValueError(f"no classifier {path.name!r}; choose from {known}.")
    return found


@cache
def _warn(sentence: str) -> None:
    """Says a sentence on stderr, once."""
    logging.getLogger(__name__).warning(sentence)
