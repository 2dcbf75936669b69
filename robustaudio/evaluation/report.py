"""What is written down about a run: the perturbed clip, and a report that makes it again."""

import hashlib
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from robustaudio import __version__
from robustaudio.audio.clip import Clip, headroom_gain
from robustaudio.classifiers.classifier import Classifier
from robustaudio.doors import reason
from robustaudio.evaluation.batch import predictions
from robustaudio.evaluation.results import PerturbedClip
from robustaudio.perception.levels import amplitude_db
from robustaudio.plain_json import as_json

PACKAGES = ("torch", "gradio", "soundfile", "av", "soxr", "safetensors", "numpy", "scipy")


def make_report(classifier: Classifier, clip: Clip, command: Sequence[str], record: dict) -> dict:
    """Settings, seed, versions and hashes beside the result; `command` makes the result again."""
    return {
        "robustaudio": __version__,
        "command": shlex.join(command),
        "clip": {
            "name": clip.name,
            "sample_rate": clip.sample_rate,
            "samples": len(clip.samples),
            "gain": clip.gain,
            "sha256": samples_hash(clip.samples),
            **judged(clip),
        },
        "classifier": {"name": classifier.name, "sha256": classifier.sha256},
        "result": record,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
        "device": str(clip.samples.device),
        "threads": torch.get_num_threads(),
    }


def judged(clip: Clip) -> dict:
    """`judged`: the part of a recording in seconds that a record speaks of, where it was cut."""
    return {"judged": asdict(clip.stretch)} if clip.stretch else {}


def save_report(report: dict, path: Path) -> None:
    """Writes a report as JSON.

    Raises:
        ValueError: if the file cannot be written.
    """
    try:
        path.write_text(as_json(report, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot write {path}: {reason(error)}.") from error


def save_perturbed(
    classifier: Classifier, clip: Clip, result: PerturbedClip, path: Path, subtype: str
) -> dict:
    """Writes the perturbed clip with the headroom both clips need, and classifies the file.

    The file notes gain and headroom, so that loading it again gives what was classified here.
    """
    headroom = headroom_gain(float(result.clean.abs().max()), float(result.perturbed.abs().max()))
    replace(clip, samples=result.perturbed).save(path, subtype, headroom=headroom)
    again = classifier.load_clip(path).samples.to(result.perturbed.device)
    return {
        "output": str(path),
        "subtype": subtype,
        "headroom_gain_db": amplitude_db(headroom),
        "prediction_of_file": classifier.labels[int(predictions(classifier, again[None]))],
    }


def samples_hash(samples: Tensor) -> str:
    """SHA-256 of the prepared samples as little-endian float32."""
    return hashlib.sha256(samples.cpu().numpy().astype("<f4").tobytes()).hexdigest()
