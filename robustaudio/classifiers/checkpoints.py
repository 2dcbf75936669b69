"""Checkpoints: weights in safetensors, everything else in a card beside them. Never a pickle."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.card import Card, check_card
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.weights import RefusedWeights, check_size, read_weights
from robustaudio.outside import read_json
from robustaudio.paths import CHECKPOINTS

UNUSABLE = (SafetensorError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError)
LFS = b"version https://git-lfs"
LONGEST_CARD = 1_000_000  # bytes


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A classifier that can be used, and its card."""

    card: Card
    classifier: Classifier


def usable(folder: Path = CHECKPOINTS) -> dict[str, Checkpoint]:
    """The checkpoints of a folder that can be used, on the CPU, by their files' name.

    One that cannot be used is left out, with one warning: the others go on.
    """
    checkpoints = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem):
        weights = path.with_suffix(".safetensors")
        if weights.is_file():
            try:
                checkpoints[path.stem] = load_checkpoint(weights)
            except ValueError as error:
                _warn(f"classifier {path.stem!r} is left out: {error}")
    return checkpoints


def names(folder: Path = CHECKPOINTS, task: str | None = None) -> list[str]:
    """Checkpoints of a folder that can be used, of all tasks or of one."""
    return [name for name, some in usable(folder).items() if task in (None, some.card.task)]


def read_card(name_or_path: str | os.PathLike) -> Card:
    """The card of a checkpoint: what it is, how it was trained, how it does.

    Raises:
        ValueError: if there is no such checkpoint, or its card cannot be read or lacks a key.
    """
    path = _weights_path(name_or_path).with_suffix(".json")
    try:
        return Card.from_json(read_json(path, LONGEST_CARD))
    except (TypeError, ValueError, AttributeError) as error:
        reason = str(error).removeprefix(f"{path} ").rstrip(".")
        raise ValueError(f"{path} is not a card that can be read: {reason}.") from error


def load_classifier(
    name_or_path: str | os.PathLike, device: str | torch.device = "cpu"
) -> Classifier:
    """A classifier in evaluation mode, by name in `checkpoints/` or by the path of its weights.

    Raises:
        ValueError: if it is missing, is not safetensors, or does not match its card.
    """
    return load_checkpoint(name_or_path).classifier.to(device)


def load_checkpoint(name_or_path: str | os.PathLike) -> Checkpoint:
    """A classifier in evaluation mode, on the CPU, and its card.

    Raises:
        ValueError: as `load_classifier`.
    """
    path, card = _weights_path(name_or_path), read_card(name_or_path)
    try:
        shapes = card.architecture.shapes()
        check_size(path, shapes)
        _check_digest(path, card.sha256)
        classifier = card.architecture.build(card.name)
        classifier.load_state_dict(read_weights(path, shapes))
        with torch.no_grad():
            logits = classifier.eval()(torch.sin(0.3 * torch.arange(classifier.length))[None])
        if not bool(logits.isfinite().all()):
            overflow = "holds weights that overflow: a tone has logits beyond all."
            raise RefusedWeights(f"{path.name} {overflow}")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except RefusedWeights:
        raise
    except MemoryError as error:
        raise ValueError(f"{path.name} needs more memory than there is.") from error
    except UNUSABLE as error:
        line = str(error).partition("\n")[0][:200].rstrip(".") or type(error).__name__
        raise ValueError(
            f"{path.name} does not hold the weights its card describes: {line}."
        ) from error
    classifier.sha256 = card.sha256
    # TF32 rounds to 10 bits: logits would stray further from the proof's than its margin
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return Checkpoint(card, classifier)


def _check_digest(path: Path, digest: str) -> None:
    if sha256(path) != digest:
        with path.open("rb") as file:
            if file.read(len(LFS)) == LFS:  # a few lines of text in place of the file
                pointer = "is a pointer of Git LFS, not the weights; run: git lfs pull."
                raise RefusedWeights(f"{path.name} {pointer}")
        raise RefusedWeights(f"{path.name} does not have the sha256 that its card names.")


def save_classifier(
    classifier: Classifier, architecture: Architecture, card: Mapping[str, Any], folder: Path
) -> Path:
    """Writes <name>.safetensors and <name>.json, both or none; returns the path of the weights.

    `card` is what the card says as JSON: `name`, `task` and `labels` at least. `sha256`,
    `gain` and `architecture` are added.

    Raises:
        ValueError: if the card is not the classifier's, or what would be written cannot be read.
    """
    name, labels = classifier.name, list(classifier.labels)
    if not name or Path(name).name != name or "\\" in name:
        raise ValueError(f"the classifier's name {name!r} must be the name of a file.")
    build = {"gain": str(architecture.gain), "architecture": architecture.to_json()}
    said = json.loads(json.dumps({**card, **build, "sha256": "-"}))
    try:
        check_card(said)
    except ValueError as error:
        raise ValueError(f"the card of {name!r} cannot be written: {error}.") from error
    for key, right in (("name", name), ("labels", labels)):
        if said[key] != right:
            raise ValueError(f"the card's {key} {said[key]!r} must be the classifier's, {right!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / f"{name}.safetensors"
        state = classifier.state_dict()
        save_file({key: value.contiguous().cpu() for key, value in state.items()}, path)
        written = Card.from_json(said | {"sha256": sha256(path)})
        text = json.dumps(written.to_json(), indent=2)
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        load_checkpoint(path)  # what is written is what can be read
        for file in (path, path.with_suffix(".json")):
            file.replace(folder / file.name)
    return folder / path.name


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights_path(name_or_path: str | os.PathLike) -> Path:
    path = Path(name_or_path)
    if path.name != os.fspath(name_or_path) or path.suffix == ".safetensors":
        if path.suffix != ".safetensors" or not path.is_file():
            raise ValueError(f"{path} is not a .safetensors file.")
        return path
    shipped = CHECKPOINTS / f"{path.name}.safetensors"
    if not shipped.is_file():
        known = ", ".join(names()) or f"none: {CHECKPOINTS} holds no checkpoint that can be used"
        raise ValueError(f"no classifier {path.name!r}; choose from {known}.")
    return shipped


@cache
def _warn(sentence: str) -> None:
    """Says a sentence on stderr, once."""
    logging.getLogger(__name__).warning(sentence)
