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
from robustaudio.evaluation.attack import (
    Attacking,
    AttackLevels,
    Plan,
    attack,
    attack_levels,
    summary_of_attack,
)
from robustaudio.evaluation.batch import LabelledBatch, load_clips
from robustaudio.evaluation.certify import (
    Certifying,
    CertifyRadii,
    certify,
    certify_radii,
    summary_of_radii,
)
from robustaudio.evaluation.engine import Asked, Measure, measure_clip, summarised
from robustaudio.evaluation.maximise import Maximising, maximise, start_from
from robustaudio.evaluation.noise import (
    AddingNoise,
    NoiseLevels,
    add_noise,
    noise_levels,
    summary_of_noise,
)
from robustaudio.evaluation.predict import (
    Predicting,
    predict,
    predict_labels,
    summary_of_predictions,
)
from robustaudio.evaluation.report import judged, make_report, save_perturbed, save_report
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.evaluation.smallest import SmallestLevels, attack_smallest, summary_of_smallest
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.evaluation.verify import (
    Verifying,
    VerifyLevels,
    summary_of_verdicts,
    verify,
    verify_levels,
)
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
        return _over(arguments, classifier, predict_labels, Predicting(), summary_of_predictions)
    clip = _clip(arguments, classifier)
    return {**to_json(measure_clip(predict, classifier, clip.samples, None)), **judged(clip)}


def run_attack(arguments: argparse.Namespace) -> dict:
    classifier, plan = _classifier(arguments), _plan(arguments)
    by_itself = isinstance(plan.attack, MINIMISING)
    start_db = plan.norm.levels.largest if by_itself else plan.norm.levels.attack
    if arguments.dataset:
        if arguments.target not in (None, "random"):
            raise ValueError(f"--target {arguments.target} on a data set: only 'random' is known.")
        levels_db = tuple(arguments.level_db or _up_to(start_db))
        targeted = arguments.target is not None
        if arguments.smallest:
            asked = SmallestLevels(plan, levels_db, targeted)
            return _over(arguments, classifier, attack_smallest, asked, summary_of_smallest)
        asked = AttackLevels(plan, levels_db, targeted)
        return _over(arguments, classifier, attack_levels, asked, summary_of_attack)
    clip = _clip(arguments, classifier)
    target = None if arguments.target is None else classifier.label_index(arguments.target)
    level_db = _single(arguments.level_db, "--level-db", start_db)
    asked = Attacking(plan, level_db, target)
    return _written(arguments, classifier, clip, _on(arguments, classifier, clip, attack, asked))


def run_noise(arguments: argparse.Namespace) -> dict:
    classifier, at = _classifier(arguments), arguments.representation
    if arguments.dataset:
        asked = NoiseLevels(tuple(arguments.sigma or [DEFAULT_SIGMA]), at)
        return _over(arguments, classifier, noise_levels, asked, summary_of_noise)
    clip = _clip(arguments, classifier)
    asked = AddingNoise(_single(arguments.sigma, "--sigma", DEFAULT_SIGMA), at)
    result = _on(arguments, classifier, clip, add_noise, asked)
    return _written(arguments, classifier, clip, result)


def run_verify(arguments: argparse.Namespace) -> dict:
    classifier, norm, method = _classifier(arguments), norm_named(arguments.norm), arguments.method
    if arguments.dataset:
        levels_db = tuple(arguments.level_db or norm.levels.proofs)
        asked = VerifyLevels(norm, levels_db, method)
        return _over(arguments, classifier, verify_levels, asked, summary_of_verdicts)
    level_db = _single(arguments.level_db, "--level-db", norm.levels.proof)
    clip = _clip(arguments, classifier)
    result = _on(arguments, classifier, clip, verify, Verifying(norm, level_db, method))
    return {**to_json(result), **judged(clip)}


def run_certify(arguments: argparse.Namespace) -> dict:
    classifier, at = _classifier(arguments), arguments.representation
    smoothing = _smoothing(arguments)
    if arguments.dataset:
        asked = CertifyRadii(smoothing, tuple(arguments.radius or DEFAULT_RADII), at)
        return _over(arguments, classifier, certify_radii, asked, summary_of_radii)
    clip = _clip(arguments, classifier)
    result = _on(arguments, classifier, clip, certify, Certifying(smoothing, at))
    return {**to_json(result), **judged(clip)}


def run_ruler(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("a ruler belongs to a single clip; see `table` for a data set.")
    classifier = _classifier(arguments)
    clip = _clip(arguments, classifier)
    if arguments.heard is None:
        asked = Measuring(_smoothing(arguments))
        ruler = _on(arguments, classifier, clip, measure_ruler, asked)
        return {**to_json(ruler), **judged(clip)}
    from robustaudio.evaluation.hearing_thresholds import ruler_with_thresholds

    ruler = ruler_with_thresholds(
        arguments.heard, classifier, clip, smoothing=_smoothing(arguments), seed=arguments.seed,
        progress=_progress(),
    )  # fmt: skip
    return {**to_json(ruler), **judged(clip)}


def run_targets(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("the levels by target belong to a single clip.")
    classifier, plan = _classifier(arguments), _plan(arguments)
    clip = _clip(arguments, classifier)
    result = _on(arguments, classifier, clip, levels_by_target, plan)
    return {**to_json(result), **judged(clip)}


def run_maximise(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("maximise works on a single clip.")
    classifier = _classifier(arguments)
    clip = _clip(arguments, classifier)
    label = arguments.label or measure_clip(predict, classifier, clip.samples, None).prediction
    start = start_from(arguments.start, clip.samples, arguments.seed)
    stretch = clip.stretch if arguments.start == "clip" else None
    begun = replace(clip, samples=start, stretch=stretch)
    asked = Maximising(_from_fields(Genetic, arguments), label, arguments.level_db)
    result = _on(arguments, classifier, begun, maximise, asked)
    return _written(arguments, classifier, begun, result)


def run_train(arguments: argparse.Namespace) -> dict:
    from robustaudio.training import recipes

    recipe = replace(recipes.RECIPES[arguments.name], seed=arguments.seed)
    recipes.run(recipe, arguments.output, device=arguments.device or default_device(), log=_log)
    return checkpoints.read_card(arguments.output / f"{recipe.name}.safetensors").to_json()


def run_table(arguments: argparse.Namespace) -> dict:
    from robustaudio.reports import tables

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


def _dataset(arguments: argparse.Namespace, classifier: Classifier) -> LabelledBatch:
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
    return Plan(
        ATTACKS[arguments.attack](**given), norm_named(arguments.norm), arguments.representation,
        arguments.survive_rounding,
    )  # fmt: skip


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


def _on(
    arguments: argparse.Namespace, classifier: Classifier, clip: Clip, measure: Measure, asked: Any
) -> Any:
    """A measure on one clip."""
    seed = getattr(arguments, "seed", 0)
    progress = _progress()
    return measure_clip(measure, classifier, clip.samples, asked, seed=seed, progress=progress)


def _over(
    arguments: argparse.Namespace, classifier: Classifier, measure: Measure, asked: Asked,
    summary: Callable[..., Any],
) -> dict:  # fmt: skip
    """A measure over a data set, and what its rows come to."""
    batch, seed = _dataset(arguments, classifier), getattr(arguments, "seed", 0)
    result = summarised(
        measure, summary, classifier, batch, asked, seed=seed, rows=arguments.resume,
        workers=arguments.workers or 1, progress=_progress(),
    )  # fmt: skip
    return to_json(result)


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
