"""The shape of the house, counted: reads by string key, tables by name, circles, tests, lines."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "robustaudio", ROOT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_READS_BY_KEY = 200
MOST_LINES = 30_020  # 28,204 before results were types: nobody may add without taking away
NAMES = {  # what has one home each; a table with such keys elsewhere means that a value is missing
    "norm": {"linf", "l2", "masking", "LINF", "L2", "MASKING"},
    "task": {"digits", "instruments", "DIGITS", "INSTRUMENTS"},
    "paradigm": {"abx", "staircase", "quest", "mushra", "impairment"},
}
HOMES = {"norm": "threats/norms.py", "task": "audio/tasks.py", "paradigm": "listening/design/"}
WITHOUT_A_TEST = {  # of their name: modules that are tested through others, and by which test
    "attacks/apgd.py": "tests/attacks/test_gradient.py",  # beside PGD, which it must not lose to
    "attacks/attack.py": "tests/attacks/test_attacks.py",  # the base of all: each is asked
    "attacks/carlini_wagner.py": "tests/attacks/test_minimal.py",  # three that look for the
    "attacks/deepfool.py": "tests/attacks/test_minimal.py",  # nearest success are compared
    "attacks/controls.py": "tests/attacks/test_genetic.py",  # what the genetic search must beat
    "attacks/genomes.py": "tests/attacks/test_genetic.py",
    "certification/certificate.py": "tests/certification/test_verify.py",  # a record
    "classifiers/answers.py": "tests/test_first_slips.py",
    "classifiers/networks.py": "tests/classifiers/test_architecture.py",  # with their kinds, as
    "classifiers/part.py": "tests/classifiers/test_architecture.py",  # cards name them
    "classifiers/stages.py": "tests/classifiers/test_architecture.py",
    "classifiers/weights.py": "tests/classifiers/test_checkpoints.py",
    "evaluation/predict.py": "tests/evaluation/test_comparison.py",  # the first half of each
    "evaluation/results.py": "tests/test_contract.py",  # as records of every verb
    "evaluation/row_file.py": "tests/evaluation/test_engine.py",  # rows that are killed and go on
    "evaluation/workers.py": "tests/evaluation/test_same_numbers.py",
    "serving/limits.py": "tests/test_deployment.py",  # beside the page that names every limit
    "reports/markdown.py": "tests/reports/test_verified_digits.py",
    "reports/tables.py": "tests/cli/test_verbs.py",  # the table of tables; each has a test
    "representations/framing.py": "tests/representations/test_spectral.py",
    "threats/geometry.py": "tests/threats/test_norms.py",
    "training/*": "tests/training/test_training.py",  # a whole short training
    "ui/words/listen.py": "tests/ui/tabs/test_listen.py",
}


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def reads_by_key(path: Path) -> Iterator[int]:
    """Lines that load `x["literal"]`, or call `.get("literal")`."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Subscript(slice=ast.Constant(value=str()), ctx=ast.Load()):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str()), *_]):
                yield node.lineno


def test_results_are_types_and_only_edges_read_by_string_key():
    counts = {named(path): len([*reads_by_key(path)]) for path in MODULES}
    most = sorted(((count, name) for name, count in counts.items() if count), reverse=True)
    assert sum(counts.values()) <= MOST_READS_BY_KEY, most


def tables_by_name(path: Path, kind: str) -> Iterator[int]:
    """Lines of dict literals whose keys are names of norms, tasks or paradigms, two at least."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Dict):
            constants = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            variables = {key.id for key in node.keys if isinstance(key, ast.Name)}
            keys = constants | variables
            if len(keys) > 1 and keys <= NAMES[kind]:
                yield node.lineno


@pytest.mark.parametrize("kind", NAMES)
def test_a_value_has_one_home(kind):
    assert not [
        f"{named(path)}:{line}"
        for path in MODULES
        for line in tables_by_name(path, kind)
        if not named(path).startswith(HOMES[kind])
    ]


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Modules of the package that a module imports, in the bodies of functions as well."""
    modules, names = {dotted(other) for other in MODULES}, set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                names.add(below if below in modules else node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & modules


def test_no_module_imports_itself_through_others():
    """The package's own names are imported at their first use, which is no circle."""
    lazy = PACKAGE / "__init__.py"
    graph = {dotted(path): imported(path) - {dotted(path)} for path in MODULES if path != lazy}
    while leaves := [name for name, others in graph.items() if not others & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, {name: sorted(others & graph.keys()) for name, others in graph.items()}


def has_a_test(path: Path) -> bool:
    return (TESTS / path.relative_to(PACKAGE).parent / f"test_{path.stem}.py").is_file()


def test_a_module_has_a_test_of_its_name_or_is_named_with_the_test_that_asks_it():
    untested = [named(path) for path in MODULES if path.stem[0] != "_" and not has_a_test(path)]
    for pattern, test in WITHOUT_A_TEST.items():
        assert (ROOT / test).is_file() and any(fnmatch(name, pattern) for name in untested), pattern
    assert not [n for n in untested if not any(fnmatch(n, pattern) for pattern in WITHOUT_A_TEST)]


def test_the_package_is_not_longer_than_it_was():
    assert sum(len(path.read_text("utf-8").splitlines()) for path in MODULES) <= MOST_LINES
