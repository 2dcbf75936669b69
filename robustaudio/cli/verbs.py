"""The verbs: each class is one, with its flags and what it does.

What takes long to import is imported by the methods: `--help` and errors come before torch.
"""

import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from robustaudio import declared
from robustaudio.cli.files import check_folder, check_readable
from robustaudio.cli.options import Verb, flag, flags, option, options_of
from robustaudio.paths import CHECKPOINTS
from robustaudio.progress import Progress

if TYPE_CHECKING:
    import torch

    from robustaudio.audio.clip import Clip
    from robustaudio.certification.smoothing import Smoothing
    from robustaudio.classifiers.classifier import Classifier
    from robustaudio.evaluation.attack import Plan
    from robustaudio.evaluation.engine import Measure

    Work = tuple[Measure, Any]

NORMS = sorted(declared.keys("threats.norms", "NORMS"))
SUBTYPES = declared.value("audio.clip", "SUBTYPES")
METHODS = declared.value("certification.verify", "METHODS")
STARTS = declared.value("evaluation.maximise", "STARTS")
ATTACKS = sorted(declared.keys("attacks", "ATTACKS"))
RECIPES = sorted(declared.first_arguments("training.recipes", "Recipe", "SvmRecipe"))
TABLES = sorted(declared.keys("reports.tables", "TABLES"))
DEVICE = "cpu, cuda, ... (default: cuda where there is one)"
LEVEL = (
    "level relative to the clip's peak (linf), l2 norm (l2) or masking threshold (masking; 0 is "
    "the threshold itself); repeatable on a data set"
)
DEFAULT_RADII = (0.05, 0.1, 0.25, 0.5)
DEFAULT_SIGMA = 0.1
CARD_COLUMNS = ("name", "task", "test_accuracy", "bundled_accuracy", "about")  # as text


# --- flags of several verbs ----------------------------------------------------------------------


def check_seed(name: str, seed: int) -> None:
    """Raises ValueError for a seed that a generator does not take."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"{name} {seed} must lie between 0 and 2^63 - 1.")


def check_count(name: str, count: int) -> None:
    """Raises ValueError for a number below 1."""
    if count < 1:
        raise ValueError(f"{name} {count} must be at least 1.")


class OnClips(Verb):
    """A verb on a clip, or on a data set."""

    no_data: ClassVar[str] = ""  # the sentence that refuses a data set
    seed = 0  # no flag where nothing is drawn

    clip: str | None = flag(None, "a sound file", positional=True)
    classifier: str = flag("digits-cnn", "name, or .safetensors file")
    dataset: str | None = flag(None, "a data set's name or folder, instead of a clip")
    split: str | None = flag(None, "default: test", of_data=True)
    limit: int | None = flag(None, "at most so many clips", of_data=True, check=check_count)
    skip_unreadable: bool = flag(
        False, "on a data set: leave out files that cannot be read, and count them", of_data=True
    )
    device: str | None = flag(None, DEVICE)

    def check(self) -> None:
        if bool(self.clip) == bool(self.dataset):
            raise ValueError("name either a sound file or --dataset NAME.")
        if self.clip:
            check_readable(self.clip)
        super().check()

    def check_options(self) -> None:
        if self.dataset and self.no_data:
            raise ValueError(self.no_data)
        for field, about in flags(fields(self)) if self.clip else ():
            if about.of_data and getattr(self, field.name) not in (None, False, ()):
                name = option(field.name)
                raise ValueError(f"{name} belongs to a data set, not to a single clip.")

    def read(self) -> Iterator[tuple[str, Path]]:
        if self.clip:
            yield "clip", Path(self.clip)
        named = Path(self.classifier)
        shipped = CHECKPOINTS / f"{named.name}.safetensors"
        weights = named if named.suffix == ".safetensors" else shipped
        yield "classifier", weights
        yield "classifier's card", weights.with_suffix(".json")
        if self.dataset:
            yield "data set's table", Path(self.dataset) / "metadata.csv"

    def open_classifier(self) -> "Classifier":
        from robustaudio.classifiers import checkpoints

        return checkpoints.load_classifier(self.classifier, usable_device(self.device))

    def open_clip(self, classifier: "Classifier") -> "Clip":
        assert self.clip is not None
        return classifier.load_clip(self.clip).to(classifier.device)

    def work(self, classifier: "Classifier") -> "Work":
        """A measure and its settings."""
        raise NotImplementedError

    def run(self, progress: Progress) -> dict:
        classifier = self.open_classifier()
        measure, settings = self.work(classifier)
        clip = self.open_clip(classifier)
        return self.measure(measure, classifier, clip, settings, progress)

    def measure(
        self, measure: "Measure", classifier: "Classifier", clip: "Clip", settings: Any,
        progress: Progress,
    ) -> dict:  # fmt: skip
        """The record of a measure on a clip."""
        from robustaudio.evaluation.engine import measure_clip

        result = measure_clip(
            measure, classifier, clip.samples, settings, seed=self.seed, progress=progress
        )
        return self.record(classifier, clip, result)

    def record(self, classifier: "Classifier", clip: "Clip", result: Any) -> dict:
        """The record of a result on a clip."""
        from robustaudio.evaluation.report import judged
        from robustaudio.evaluation.results import to_json

        return {**to_json(result), **judged(clip)}


class Seeded(OnClips):
    seed: int = flag(0, "seed of all randomness", check=check_seed)


class Represented(OnClips):
    representation: str = flag("waveform")

    def open_classifier(self) -> "Classifier":
        classifier = super().open_classifier()
        classifier.split(self.representation)  # refused if unknown
        return classifier


class Writing(OnClips):
    """A verb whose result is a sound."""

    output: Path | None = flag(None, "write the perturbed clip as WAV", written=True)
    subtype: str | None = flag(None, f"of the WAV (default: {SUBTYPES[0]})", choices=SUBTYPES)
    report: Path | None = flag(None, "write a JSON report of the run", written=True)

    def check_options(self) -> None:
        super().check_options()
        if self.dataset and (self.output or self.report):
            raise ValueError("--output and --report belong to a single clip, not to a data set.")
        if self.subtype and not self.output:
            raise ValueError("--subtype belongs to --output, which is not given.")
        if self.output and self.output.suffix.lower() != ".wav":
            raise ValueError(
                f"--output {self.output} must end in .wav: the perturbed clip is written as WAV."
            )

    def record(self, classifier: "Classifier", clip: "Clip", result: Any) -> dict:
        """The record, after the files that were asked for are written."""
        from robustaudio.evaluation.report import make_report, save_perturbed, save_report

        record = super().record(classifier, clip, result)
        if self.output:
            subtype = self.subtype or SUBTYPES[0]
            record |= save_perturbed(classifier, clip, result, self.output, subtype)
        if self.report:
            command = ["python", "-m", "robustaudio", *self.argv]
            save_report(make_report(classifier, clip, command, record), self.report)
        return record


class OverData(OnClips):
    """A verb that the engine runs over a data set."""

    resume: Path | None = flag(
        None, "on a data set: keep a line per clip in FILE, and go on where it ends",
        metavar="FILE", written=True,
    )  # fmt: skip
    workers: int | None = flag(
        None, "on a data set: so many processes share the clips (default: 1)",
        metavar="N", of_data=True, check=check_count,
    )  # fmt: skip

    def check(self) -> None:
        super().check()
        if self.clip and self.resume:
            raise ValueError("--resume belongs to a data set, not to a single clip.")

    def run(self, progress: Progress) -> dict:
        """The record of a clip, or what the rows of a data set come to."""
        if self.dataset is None:
            return super().run(progress)
        from robustaudio.audio.datasets import open_dataset
        from robustaudio.evaluation.batch import load_clips
        from robustaudio.evaluation.engine import run
        from robustaudio.evaluation.results import to_json

        classifier = self.open_classifier()
        measure, settings = self.work(classifier)
        dataset = open_dataset(self.dataset)
        split = self.split or ("test" if "test" in dataset.splits else dataset.splits[0])
        selected = dataset.select(split, self.limit)
        batch = load_clips(classifier, selected, skip_unreadable=self.skip_unreadable)
        rows = run(
            measure, classifier, batch, settings, seed=self.seed, rows=self.resume,
            workers=self.workers or 1, progress=progress,
        )  # fmt: skip
        return settings.about(classifier, batch, self.seed) | to_json(settings.summary(rows))


class Attacking(Represented, Seeded):
    """A verb that runs an attack: its options are those of all attacks."""

    attack: str = flag("pgd", choices=ATTACKS)
    norm: str = flag("linf", choices=NORMS)
    survive_rounding: bool = flag(False, "what is found must survive a 16-bit file")
    options: dict[str, Any] = options_of(**declared.options_of_each("attacks", "ATTACKS"))

    def plan(self) -> "Plan":
        """The attack with the options that were given; the others are its own defaults."""
        from robustaudio.attacks import ATTACKS
        from robustaudio.evaluation.attack import Plan
        from robustaudio.threats.norms import norm_named

        kind = ATTACKS[self.attack]
        for name in sorted(self.options.keys() - {field.name for field in fields(kind)}):
            raise ValueError(f"{option(name)} is no option of {self.attack}.")
        attack, norm = kind(**self.options), norm_named(self.norm)
        return Plan(attack, norm, self.representation, self.survive_rounding)


class Smoothed(Seeded):
    """A verb that smooths a classifier."""

    options: dict[str, Any] = options_of(
        default=declared.options("certification.smoothing", "Smoothing")
    )

    def smoothing(self) -> "Smoothing":
        from robustaudio.certification.smoothing import Smoothing

        return Smoothing(**self.options)


# --- the verbs -----------------------------------------------------------------------------------


class Classifiers(Verb):
    """List the classifiers that can be used."""

    def run(self, progress: Progress) -> list[dict]:
        from robustaudio.classifiers import checkpoints

        # by the name that --classifier takes, which is the file's
        usable = checkpoints.usable().items()
        cards = [replace(some.card, name=name).to_json() for name, some in usable]
        return cards if self.json else [{k: card.get(k) for k in CARD_COLUMNS} for card in cards]


class Predict(OverData):
    """Classify a clip, or measure accuracy on a data set."""

    def work(self, classifier: "Classifier") -> "Work":
        from robustaudio.evaluation import predict as p

        if self.dataset:
            return p.predict_labels, p.Predicting()
        return p.predict, None


class Attack(Attacking, Writing, OverData):
    """Look for the perturbation that changes the decision."""

    level_db: tuple[float, ...] = flag((), LEVEL)
    target: str | None = flag(None, "label to reach; on a data set: random")
    smallest: bool = flag(
        False, "on a data set: look for the smallest level that succeeds, per clip", of_data=True
    )

    def work(self, classifier: "Classifier") -> "Work":
        from robustaudio.evaluation import attack as a
        from robustaudio.evaluation import smallest as s

        plan = self.plan()
        levels = plan.norm.levels
        start_db = levels.largest if plan.attack.minimises else levels.attack
        if not self.dataset:
            target = None if self.target is None else classifier.label_index(self.target)
            level_db = single(self.level_db, "--level-db", start_db)
            return a.attack, a.Attacking(plan, level_db, target)
        if self.target not in (None, "random"):
            raise ValueError(f"--target {self.target} on a data set: only 'random' is known.")
        levels_db = self.level_db or (start_db - 20, start_db - 10, start_db)
        asked = plan, levels_db, self.target is not None
        if self.smallest:
            return s.attack_smallest, s.SmallestLevels(*asked)
        return a.attack_levels, a.AttackLevels(*asked)


class Noise(Represented, Seeded, Writing, OverData):
    """Add Gaussian noise at a representation."""

    sigma: tuple[float, ...] = flag((), "repeatable on a data set")

    def work(self, classifier: "Classifier") -> "Work":
        from robustaudio.evaluation import noise as n

        at = self.representation
        if self.dataset:
            sigmas = self.sigma or (DEFAULT_SIGMA,)
            return n.noise_levels, n.NoiseLevels(sigmas, at)
        sigma = single(self.sigma, "--sigma", DEFAULT_SIGMA)
        return n.add_noise, n.AddingNoise(sigma, at)


class Verify(OverData):
    """Prove that no perturbation within a level changes it."""

    norm: str = flag("linf", choices=NORMS)
    level_db: tuple[float, ...] = flag((), LEVEL)
    method: str = flag("interval", "crown: slower, and never looser", choices=METHODS)

    def work(self, classifier: "Classifier") -> "Work":
        from robustaudio.evaluation import verify as v
        from robustaudio.threats.norms import norm_named

        norm, method = norm_named(self.norm), self.method
        if self.dataset:
            levels_db = self.level_db or norm.levels.proofs
            return v.verify_levels, v.VerifyLevels(norm, levels_db, method)
        level_db = single(self.level_db, "--level-db", norm.levels.proof)
        return v.verify, v.Verifying(norm, level_db, method)


class Certify(Represented, Smoothed, OverData):
    """Certify the smoothed classifier's radius."""

    radius: tuple[float, ...] = flag((), "repeatable", of_data=True)

    def check_options(self) -> None:
        if not all(0 <= radius < inf for radius in self.radius):
            raise ValueError(f"radii {[*self.radius]} must be 0 or more, and finite.")
        super().check_options()

    def work(self, classifier: "Classifier") -> "Work":
        from robustaudio.evaluation import certify as c

        smoothing, at = self.smoothing(), self.representation
        if self.dataset:
            radii = self.radius or DEFAULT_RADII
            return c.certify_radii, c.CertifyRadii(smoothing, radii, at)
        return c.certify, c.Certifying(smoothing, at)


class Ruler(Smoothed):
    """Put the proof and the attack of a clip on one axis in dB."""

    no_data = "a ruler belongs to a single clip; see `table` for a data set."

    heard: Path | None = flag(
        None,
        "a listening study's JSON (its export, or `listen analyse --json`): what was heard",
        metavar="FILE",
    )

    def check(self) -> None:
        if self.heard and not self.heard.is_file():
            raise ValueError(f"--heard: there is no file {self.heard}.")
        super().check()

    def read(self) -> Iterator[tuple[str, Path]]:
        if self.heard:
            yield "file of --heard", self.heard
        yield from super().read()

    def run(self, progress: Progress) -> dict:
        from robustaudio.evaluation.hearing_thresholds import ruler_with_thresholds

        classifier, smoothing = self.open_classifier(), self.smoothing()
        clip = self.open_clip(classifier)
        ruler = ruler_with_thresholds(
            self.heard, classifier, clip, smoothing=smoothing, seed=self.seed, progress=progress
        )
        return self.record(classifier, clip, ruler)


class Targets(Attacking):
    """Look for the smallest level towards every label."""

    no_data = "the levels by target belong to a single clip."

    def work(self, classifier: "Classifier") -> "Work":
        from robustaudio.evaluation.targets import levels_by_target

        return levels_by_target, self.plan()


class Maximise(Seeded, Writing):
    """Evolve the sound that is surest to be a label."""

    no_data = "maximise works on a single clip."

    label: str | None = flag(None, "what it is to be (default: what is heard)")
    start: str = flag(STARTS[0], choices=STARTS)
    level_db: float = flag(-20.0, "dB of full scale")
    options: dict[str, Any] = options_of(default=declared.options("attacks.genetic", "Genetic"))

    def run(self, progress: Progress) -> dict:
        from robustaudio.attacks import Genetic
        from robustaudio.evaluation.engine import measure_clip
        from robustaudio.evaluation.maximise import Maximising, maximise, start_from
        from robustaudio.evaluation.predict import predict

        classifier = self.open_classifier()
        clip = self.open_clip(classifier)
        label = self.label or measure_clip(predict, classifier, clip.samples, None).prediction
        start = start_from(self.start, clip.samples, self.seed)
        stretch = clip.stretch if self.start == "clip" else None
        begun = replace(clip, samples=start, stretch=stretch)
        settings = Maximising(Genetic(**self.options), label, self.level_db)
        return self.measure(maximise, classifier, begun, settings, progress)


class Train(Verb):
    """Train a checkpoint by its recipe."""

    name: str = flag(..., choices=RECIPES, positional=True)
    output: Path = flag(Path("runs"), "folder to write into")
    seed: int = flag(0, "0 is the shipped run", check=check_seed)
    device: str | None = flag(None, DEVICE)

    def check_options(self) -> None:
        check_folder("--output", self.output)

    def run(self, progress: Progress) -> dict:
        from robustaudio.classifiers import checkpoints
        from robustaudio.training import recipes

        recipe = replace(recipes.RECIPES[self.name], seed=self.seed)
        recipes.run(recipe, self.output, device=str(usable_device(self.device)), log=log)
        return checkpoints.read_card(self.output / f"{recipe.name}.safetensors").to_json()


class Table(Verb):
    """Make a table of docs/results again."""

    name: str = flag(..., choices=TABLES, positional=True)
    output: Path | None = flag(None, "file to write (default: docs/results/NAME.md)", written=True)
    limit: int | None = flag(None, "clips per split, for a quick look", check=check_count)

    def run(self, progress: Progress) -> dict:
        from robustaudio.reports import tables

        made = tables.TABLES[self.name](self.output, limit=self.limit, log=log)
        return made if self.json else {"output": made["output"]}


class Download(Verb):
    """Download a data set's official release."""

    name: str = flag(..., positional=True)

    def run(self, progress: Progress) -> dict:
        from robustaudio.audio.datasets import download

        dataset = download(self.name)
        return {"dataset": dataset.name, "folder": str(dataset.folder), "clips": len(dataset)}


VERBS = (
    Classifiers, Predict, Attack, Noise, Verify, Certify, Ruler, Targets, Maximise, Train, Table,
    Download,
)  # fmt: skip


# --- what several of them need -------------------------------------------------------------------


def usable_device(name: str | None) -> "torch.device":
    """The device of that name, or the default one.

    Raises:
        ValueError: for a device that cannot hold numbers.
    """
    import torch

    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # a device without data fails here
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {name} is not at hand; try cpu.") from error
    return device


def single(values: tuple[float, ...], flag: str, default: float) -> float:
    """The value of a flag that may be repeated on a data set only.

    Raises:
        ValueError: if it was repeated.
    """
    if len(values) > 1:
        raise ValueError(f"{flag} may be given once for a clip; it is repeatable on a data set.")
    return values[0] if values else default


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
