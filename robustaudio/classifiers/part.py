"""A part of an architecture: a small frozen dataclass, known by its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Self

from robustaudio.outside import shown


@dataclass(frozen=True)
class Part:
    """Stages, or a network; `kind` is its name on a card.

    A subclass of either is known as soon as its module is imported: nothing else lists it.
    """

    kind: ClassVar[str]

    @classmethod
    def kinds(cls) -> dict[str, type[Self]]:
        """The subclasses by their kind."""
        return {part.kind: part for part in cls.__subclasses__()}

    @classmethod
    def of_kind(cls, kind: Any) -> type[Self]:
        """The subclass of a kind.

        Raises:
            ValueError: for an unknown one.
        """
        kinds = cls.kinds()
        if not isinstance(kind, str) or kind not in kinds:
            name = cls.__name__.lower()
            raise ValueError(f"its {name} {shown(kind)} must be one of {', '.join(kinds)}.")
        return kinds[kind]

    @classmethod
    def settings(cls) -> set[str]:
        """The names of its fields."""
        return {f.name for f in fields(cls)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Its own fields of an object that holds others as well.

        Raises:
            TypeError: for a field of a dataclass that cannot be made of its value.
        """
        values = {}
        for f in fields(cls):
            make: Any = f.type
            if is_dataclass(f.type):
                values[f.name] = make(**data[f.name])
            elif f.name in data:
                values[f.name] = tuples(data[f.name])
        return cls(**values)


def tuples(value: Any) -> Any:
    """JSON's lists as tuples, at any depth."""
    return tuple(map(tuples, value)) if isinstance(value, list) else value
