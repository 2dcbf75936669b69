"""Names, values and options read from the source of modules: a command line needs no torch.

An attack's options have one home, the fields of its dataclass, in a module that imports torch for
a second. Here the expressions of its source are evaluated one by one, without that import.
"""

import ast
from dataclasses import Field
from functools import cache
from typing import Any

from robustaudio.options import option
from robustaudio.paths import PACKAGE


def value(module: str, name: str) -> Any:
    """The value that a module of the package, such as "audio.clip", gives to a name.

    Raises:
        LookupError: if the module neither declares nor imports it.
    """
    return _evaluated(*_declaration(module, name))


def keys(module: str, name: str) -> list[str]:
    """The keys of a table such as ATTACKS."""
    return [*_table(module, name)]


def options(module: str, name: str) -> list[Field]:
    """The fields of a dataclass that are declared by `option(default, help, ...)`."""
    module, node = _declaration(module, name)
    known = []
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.annotation, ast.Name):  # no ClassVar
            field = _evaluated(module, line.value)
            field.name, field.type = ast.unparse(line.target), _evaluated(module, line.annotation)
            known.append(field)
    return known


def options_of_each(module: str, name: str) -> dict[str, list[Field]]:
    """The options of every dataclass in a table such as ATTACKS."""
    return {key: options(module, node.id) for key, node in _table(module, name).items()}


def first_arguments(module: str, *functions: str) -> list[str]:
    """What the calls of some functions in a module begin with: the names of recipes."""
    calls = [node for node in ast.walk(_tree(module)) if isinstance(node, ast.Call) and node.args]
    return [_evaluated(module, c.args[0]) for c in calls if ast.unparse(c.func) in functions]


@cache
def _tree(module: str) -> ast.Module:
    path = PACKAGE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _declaration(module: str, name: str) -> tuple[str, Any]:
    """The module that declares a name, imports followed, and the node of its value."""
    for statement in _tree(module).body:
        match statement:
            case ast.ClassDef(name=declared) if declared == name:
                return module, statement
            case ast.AnnAssign(target=ast.Name(id=declared), value=node) if declared == name:
                return module, node
            case ast.Assign(targets=[ast.Name(id=declared)], value=node) if declared == name:
                return module, node
            case ast.ImportFrom(module=str(source), names=imported):
                if source.startswith("robustaudio.") and name in [n.name for n in imported]:
                    return _declaration(source.removeprefix("robustaudio."), name)
    raise KeyError(f"robustaudio.{module} declares no {name}")


def _table(module: str, name: str) -> dict[str, Any]:
    """The nodes of a table's values, by its keys."""
    module, node = _declaration(module, name)
    return {_evaluated(module, key): item for key, item in zip(node.keys, node.values, strict=True)}


class _Names(dict[str, Any]):
    """The names that a module declares, as an expression in it looks them up."""

    def __init__(self, module: str):
        self.module = module

    def __missing__(self, name: str) -> Any:
        return value(self.module, name)


def _evaluated(module: str, node: Any) -> Any:
    code = compile(ast.Expression(node), module, "eval")
    return eval(code, {"option": option}, _Names(module))
