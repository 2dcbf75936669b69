"""What the verbs of the command line do: convert, call one back-end function, give the record.

The parser (cli.py) imports this module once a command is understood; what only one verb needs and
takes long to import stands in that verb.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch

from robustaudio.attacks import ATTACKS, MINIMISING, Genetic
from robustaudio.audio.clip import SUBTYPES, Clip
from robustaudio.audio.datasets import download, open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan, attack_clip, attack_dataset
from robustaudio.evaluation.certify import certify_clip, certify_dataset
from robustaudio.evaluation.clips import LabelledClips, load_clips
from robustaudio.evaluation.maximise import maximise_clip, start_from
from robustaudio.evaluation.noise import noise_clip, noise_dataset
from robustaudio.evaluation.predict import predict_clip, predict_dataset
from robustaudio.evaluation.report import judged, make_report, save_perturbed, save_report
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.ruler import measure_ruler
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.evaluation.verify import verify_clip, verify_dataset
from robustaudio.threats.norms import norm_named

DEFAULT_RADII = (0.05, 0.1, 0.25, 0.5)
DEFAULT_SIGMA = 0.1
ESTIMATED_AFTER_S, LONG_S = 10.0, 120.0  # when a run is estimated, and what is long
CARD_COLUMNS = ("name", "task", "test_accuracy", "bundled_accuracy", "about")  # as text


def classifiers(arguments: argparse.Namespace) -> list[dict]:
    # by the name that --classifier takes, which is the file's
    usable = checkpoints.usable().items()
    cards = [replace(some.card, name=name).to_json() for name, some in usable]
    return cards if arguments.json else [{k: card.get(k) for k in CARD_COLUMNS} for card in cards]


def run_predict(arguments: argparse.Namespace) -> dict:
    classifier = _classifier(arguments)
    if arguments.dataset:
        return predict_dataset(classifier, _dataset(arguments, classifier))
    clip = _clip(arguments, classifier)
    return {**to_json(predict_clip(classifier, clip.samples)), **judged(clip)}


def run_attack(arguments: argparse.Namespace) -> dict:
    classifier, plan = _classifier(arguments), _plan(arguments)
    by_itself = isinstance(plan.attack, MINIMISING)
    start_db = plan.norm.levels.largest if by_itself else plan.norm.levels.attack
    common = {"seed": arguments.seed, "progress": _progress()}
    if arguments.dataset:
        if arguments.target not in (None, "random"):
            raise ValueError(f"--target {arguments.target} on a data set: only 'random' is known.")
        return attack_dataset(
            classifier, _dataset(arguments, classifier), plan,
            levels_db=arguments.level_db or _up_to(start_db),
            targeted=arguments.target is not None, smallest=arguments.smallest,
            path=arguments.resume, **common,
        )  # fmt: skip
    clip = _clip(arguments, classifier)
    target = None if arguments.target is None else classifier.label_index(arguments.target)
    level_db = _single(arguments.level_db, "--level-db", start_db)
    result = attack_clip(classifier, clip.samples, plan, level_db=level_db, target=target, **common)
    return _written(arguments, classifier, clip, result)


def run_noise(arguments: argparse.Namespace) -> dict:
    classifier = _classifier(arguments)
    options = {"representation": arguments.representation, "seed": arguments.seed}
    if arguments.dataset:
        return noise_dataset(
            classifier, _dataset(arguments, classifier),
            sigmas=arguments.sigma or [DEFAULT_SIGMA], progress=_progress(), **options,
        )  # fmt: skip
    clip = _clip(arguments, classifier)
    sigma = _single(arguments.sigma, "--sigma", DEFAULT_SIGMA)
    result = noise_clip(classifier, clip.samples, sigma=sigma, **options)
    return _written(arguments, classifier, clip, result)


def run_verify(arguments: argparse.Namespace) -> dict:
    classifier, norm = _classifier(arguments), norm_named(arguments.norm)
    common = {"norm": norm, "method": arguments.method, "progress": _progress()}
    if arguments.dataset:
        return verify_dataset(
            classifier, _dataset(arguments, classifier), path=arguments.resume,
            levels_db=arguments.level_db or norm.levels.proofs, **common,
        )  # fmt: skip
    level_db = _single(arguments.level_db, "--level-db", norm.levels.proof)
    clip = _clip(arguments, classifier)
    result = verify_clip(classifier, clip.samples, level_db=level_db, **common)
    return {**to_json(result), **judged(clip)}


def run_certify(arguments: argparse.Namespace) -> dict:
    classifier = _classifier(arguments)
    smoothing = _smoothing(arguments)
    common = {
        "representation": arguments.representation, "seed": arguments.seed, "progress": _progress(),
    }  # fmt: skip
    if arguments.dataset:
        return certify_dataset(
            classifier, _dataset(arguments, classifier), smoothing,
            radii=arguments.radius or DEFAULT_RADII, **common,
        )  # fmt: skip
    clip = _clip(arguments, classifier)
    result = certify_clip(classifier, clip.samples, smoothing, **common)
    return {**to_json(result), **judged(clip)}


def run_ruler(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("a ruler belongs to a single clip; see `table` for a data set.")
    classifier = _classifier(arguments)
    clip = _clip(arguments, classifier)
    if arguments.heard is None:
        ruler = measure_ruler(
            classifier, clip.samples, smoothing=_smoothing(arguments), seed=arguments.seed,
            progress=_progress(),
        )  # fmt: skip
        return {**to_json(ruler), **judged(clip)}
    from robustaudio.evaluation.heard import ruler_with_heard

    ruler = ruler_with_heard(
        arguments.heard, classifier, clip, smoothing=_smoothing(arguments), seed=arguments.seed,
        progress=_progress(),
    )  # fmt: skip
    return {**to_json(ruler), **judged(clip)}


def run_targets(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("the levels by target belong to a single clip.")
    classifier, plan = _classifier(arguments), _plan(arguments)
    clip = _clip(arguments, classifier)
    result = levels_by_target(
        classifier, clip.samples, plan, seed=arguments.seed, progress=_progress()
    )
    return {**to_json(result), **judged(clip)}


def run_maximise(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("maximise works on a single clip.")
    classifier = _classifier(arguments)
    clip = _clip(arguments, classifier)
    label = arguments.label or predict_clip(classifier, clip.samples).prediction
    start = start_from(arguments.start, clip.samples, arguments.seed)
    attack = _from_fields(Genetic, arguments)
    result = maximise_clip(
        classifier, start, attack, label=label, level_db=arguments.level_db, seed=arguments.seed,
        progress=_progress(),
    )  # fmt: skip
    stretch = clip.stretch if arguments.start == "clip" else None
    begun = replace(clip, samples=start, stretch=stretch)
    return _written(arguments, classifier, begun, result)


def run_train(arguments: argparse.Namespace) -> dict:
    from robustaudio.training import recipes

    recipe = replace(recipes.RECIPES[arguments.name], seed=arguments.seed)
    recipes.run(recipe, arguments.output, device=arguments.device or default_device(), log=_log)
    return checkpoints.read_card(arguments.output / f"{recipe.name}.safetensors").to_json()


def run_table(arguments: argparse.Namespace) -> dict:
    from robustaudio.evaluation import tables

    made = tables.TABLES[arguments.name](arguments.output, limit=arguments.limit, log=_log)
    return made if arguments.json else {"output": made["output"]}


def run_download(arguments: argparse.Namespace) -> dict:
    dataset = download(arguments.name)
    return {"dataset": dataset.name, "folder": str(dataset.folder), "clips": len(dataset)}


# --- from arguments to values --------------------------------------------------------------------


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _classifier(arguments: argparse.Namespace) -> Classifier:
    name = arguments.device or default_device()
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # a device without data fails here
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {name} is not at hand; try cpu.") from error
    classifier = checkpoints.load_classifier(arguments.classifier, device)
    classifier.split(getattr(arguments, "representation", "waveform"))  # refused if unknown
    return classifier


def _clip(arguments: argparse.Namespace, classifier: Classifier) -> Clip:
    clip = classifier.load_clip(arguments.clip)
    return clip.to(classifier.device)


def _dataset(arguments: argparse.Namespace, classifier: Classifier) -> LabelledClips:
    dataset = open_dataset(arguments.dataset)
    split = arguments.split or ("test" if "test" in dataset.splits else dataset.splits[0])
    selected = dataset.select(split, arguments.limit)
    return load_clips(classifier, selected, skip_unreadable=arguments.skip_unreadable)


def _plan(arguments: argparse.Namespace) -> Plan:
    """The attack with the options that were given; the others are its own defaults."""
    own = {f.name for f in fields(ATTACKS[arguments.attack])}
    known = {f.name for kind in ATTACKS.values() for f in fields(kind)}
    given = {n: v for n in sorted(known) if (v := getattr(arguments, n)) is not None}
    for name in given.keys() - own:
        raise ValueError(f"--{name.replace('_', '-')} is no option of {arguments.attack}.")
    attack = ATTACKS[arguments.attack](**given)
    norm = norm_named(arguments.norm)
    return Plan(attack, norm, arguments.representation, arguments.survive_rounding)


def _up_to(level_db: float) -> list[float]:
    return [level_db - below for below in (20.0, 10.0, 0.0)]


def _smoothing(arguments: argparse.Namespace) -> Smoothing:
    return _from_fields(Smoothing, arguments)


def _from_fields(kind: type, arguments: argparse.Namespace) -> Any:
    return kind(**{f.name: getattr(arguments, f.name) for f in fields(kind)})


def _single(values: list[float] | None, flag: str, default: float) -> float:
    if values and len(values) > 1:
        raise ValueError(f"{flag} may be given once for a clip; it is repeatable on a data set.")
    return values[0] if values else default


def _written(
    arguments: argparse.Namespace, classifier: Classifier, clip: Clip, result: Any
) -> dict:
    """The record, after the files that were asked for are written."""
    record = {**to_json(result), **judged(clip)}
    if arguments.output:
        record = {
            **record,
            **save_perturbed(
                classifier, clip, result, arguments.output, arguments.subtype or SUBTYPES[0]
            ),
        }
    if arguments.report:
        command = ["python", "-m", "robustaudio", *arguments.argv]
        save_report(make_report(classifier, clip, command, record), arguments.report)
    return record


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _progress() -> Callable[..., None] | None:
    """A percentage on stderr where somebody is looking; elsewhere how long a long run will take."""
    if sys.stderr.isatty():
        return lambda done, step=None: print(
            f"\r{done:4.0%}", end="\r", file=sys.stderr, flush=True
        )
    begun, told = time.monotonic(), False

    def estimate(done: float, step: Any = None) -> None:
        nonlocal told
        passed = time.monotonic() - begun
        if told or passed < ESTIMATED_AFTER_S or not done:
            return
        told, left_s = True, passed / done * (1 - done)
        if left_s > LONG_S:
            _log(f"{done:.2g} of it is done; about {_duration(left_s)} to go.")

    return estimate


def _duration(seconds: float) -> str:
    """In words: 3 minutes, 2.5 hours, 40 days."""
    for size, name in ((86_400, "days"), (3_600, "hours")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{seconds / 60:.0f} minutes"
