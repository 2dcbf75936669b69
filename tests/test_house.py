"""The shape of the house, counted: reads by string key, tables by name, circles, a test per module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "robustaudio"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_READS_BY_KEY = 200
NAMES = {  # what has one home each; a table with such keys elsewhere means that a value is missing
    "norm": {"linf", "l2", "masking"},
    "task": {"digits", "instruments"},
    "paradigm": {"abx", "staircase", "quest", "mushra", "impairment"},
}
HOMES: dict[str, set[str]] = {"norm": set(), "task": set(), "paradigm": set()}


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
    counts = {str(path.relative_to(PACKAGE)): len([*reads_by_key(path)]) for path in MODULES}
    most = sorted(((n, name) for name, n in counts.items() if n), reverse=True)
    assert sum(counts.values()) <= MOST_READS_BY_KEY, most


def tables_by_name(path: Path) -> Iterator[tuple[str, int]]:
    """Dict literals with at least two keys that name a norm, a task or a paradigm."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            for kind, names in NAMES.items():
                if len(keys & names) > 1:
                    yield kind, node.lineno


@pytest.mark.parametrize("kind", NAMES)
def test_a_value_has_one_home(kind):
    tables = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in MODULES
        for found, line in tables_by_name(path)
        if found == kind and str(path.relative_to(PACKAGE)) not in HOMES[kind]
    ]
    assert not tables


def imported(path: Path) -> set[str]:
    """Modules of the package, as dotted names, that a module imports, in the bodies of functions as well."""
    modules, names = {dotted(other) for other in MODULES}, set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                names.add(below if below in modules else node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & modules


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_module_imports_itself_through_others():
    graph = {dotted(path): imported(path) - {dotted(path)} for path in MODULES}
    while leaves := [name for name, others in graph.items() if not others & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, {name: sorted(others & graph.keys()) for name, others in graph.items()}
