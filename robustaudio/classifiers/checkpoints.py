"""Checkpoints: weights in safetensors, everything else in a card beside them. Never a pickle."""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import Architecture
from robustaudio.classifiers.svm import SvmArchitecture

AnyArchitecture = Architecture | SvmArchitecture
CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def names(folder: Path = CHECKPOINTS, task: str | None = None) -> list[str]:
    """Checkpoints of a folder that have both files, of all tasks or of one."""
    cards = [card for card in folder.glob("*.json") if card.with_suffix(".safetensors").is_file()]
    return sorted(
        card.stem
        for card in cards
        if task in (None, read_card(card.with_suffix(".safetensors"))["task"])
    )


def read_card(name_or_path: str | os.PathLike) -> dict:
    """The card of a checkpoint: what it is, how it was trained, how it does.

    Raises:
        ValueError: if there is no such checkpoint, or its card cannot be read.
    """
    path = _weights_path(name_or_path).with_suffix(".json")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        architecture_of(card)
        str(card["name"])
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a card that can be read: {error!r}.") from error
    return card


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
    if sha256(path) != card.get("sha256"):
        raise ValueError(f"{path.name} does not have the sha256 that its card names.")
    try:
        classifier = architecture_of(card).build(card["name"])
        classifier.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} does not hold the weights its card describes.") from error
    classifier.sha256 = card["sha256"]
    # TF32 rounds to 10 bits: logits would stray further from the proof's than its margin
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return classifier.to(device).eval()


def save_classifier(
    classifier: Classifier, architecture: AnyArchitecture, card: dict, folder: Path
) -> Path:
    """Writes <name>.safetensors and <name>.json; returns the path of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{classifier.name}.safetensors"
    save_file(
        {key: value.contiguous().cpu() for key, value in classifier.state_dict().items()}, path
    )
    card = {**card, "sha256": sha256(path), "architecture": architecture.to_json()}
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _weights_path(name_or_path: str | os.PathLike) -> Path:
    path = Path(name_or_path)
    if path.name != os.fspath(name_or_path) or path.suffix == ".safetensors":
        if path.suffix != ".safetensors" or not path.is_file():
            raise ValueError(f"{path} is not a .safetensors file.")
        return path
    found = CHECKPOINTS / f"{path.name}.safetensors"
    if not found.is_file():
        raise ValueError(f"no classifier {path.name!r}; choose from {', '.join(names())}.")
    return found
