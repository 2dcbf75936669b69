"""Names and defaults read from the source of modules, so that a command line needs no torch.

An attack's options have one home, the fields of its dataclass, in a module that imports torch for
a second. Their names, types, defaults and help are literals, and are read from the source.
"""

import ast
from dataclasses import dataclass
from functools import cache
from typing import Any

from robustaudio.paths import PACKAGE

TYPES = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Option:
    """A field of a dataclass of options."""

    name: str
    type: type
    default: Any
    help: str
    choices: tuple | None


def value(module: str, name: str) -> Any:
    """The literal that a module of the package, such as "audio.clip", gives to a name."""
    return _literal(*_declaration(module, name))


def keys(module: str, name: str) -> list[str]:
    """The keys of a table such as ATTACKS; its values need not be literals."""
    return [_literal(module, key) for key in _table(module, name)]


def options(module: str, name: str) -> list[Option]:
    """The fields of a dataclass that are declared by `option(default, help, ...)`."""
    module, node = _declaration(module, name)
    assert isinstance(node, ast.ClassDef)
    return [
        _option(module, statement)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.annotation, ast.Name)  # a ClassVar is no option
        and statement.value is not None
    ]


def options_of_each(module: str, name: str) -> dict[str, list[Option]]:
    """The options of every dataclass in a table such as ATTACKS."""
    table = _table(module, name).items()
    return {_literal(module, key): options(module, node.id) for key, node in table}


def first_arguments(module: str, *functions: str) -> list[str]:
    """What the calls of some functions in a module begin with: the names of recipes."""
    return [
        _literal(module, node.args[0])
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in functions
        and node.args
    ]


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
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=nodes)):
                for target, node in zip(targets, nodes, strict=True):
                    if isinstance(target, ast.Name) and target.id == name:
                        return module, node
            case ast.ImportFrom(module=str(source), names=imported):
                if source.startswith("robustaudio.") and name in [n.name for n in imported]:
                    return _declaration(source.removeprefix("robustaudio."), name)
    raise LookupError(f"robustaudio.{module} declares no {name}")


def _table(module: str, name: str) -> dict[Any, Any]:
    _, node = _declaration(module, name)
    return dict(zip(node.keys, node.values, strict=True))


def _option(module: str, statement: ast.AnnAssign) -> Option:
    call: Any = statement.value
    if isinstance(call, ast.Name):  # shared by several attacks
        module, call = _declaration(module, call.id)
    default, about = (_literal(module, node) for node in call.args[:2])
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    choices = _literal(module, given["choices"]) if "choices" in given else None
    annotation, target = statement.annotation, statement.target
    assert isinstance(annotation, ast.Name) and isinstance(target, ast.Name)
    return Option(target.id, TYPES[annotation.id], default, about, choices)


def _literal(module: str, node: ast.expr) -> Any:
    match node:
        case ast.Name(id=name):
            return value(module, name)
        case ast.Dict(keys=names, values=nodes):
            pairs = zip(names, nodes, strict=True)
            return {_literal(module, key): _literal(module, node) for key, node in pairs if key}
        case ast.Tuple(elts=nodes):
            return tuple(_literal(module, node) for node in nodes)
    return ast.literal_eval(node)
