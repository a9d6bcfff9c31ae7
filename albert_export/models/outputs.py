"""What a model returns, in every framework: fields read by attribute, by key, by position or as a tuple.

Field names and order are those of transformers 4.37.2. A field that was not asked for reads as ``None`` by attribute
and is absent everywhere else, so ``output[0]`` is the loss when labels were given and the first tensor otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class ModelOutput(dict[str, Any]):
    """A dictionary of the fields that are there; each field is an attribute as well.

    ``output.logits``, ``output["logits"]`` and ``output[1]`` are the same tensor; a slice gives a tuple; iteration
    gives the names, as of any dictionary. Subclasses declare their fields as annotations, in order.

    Args:
        values: Fields in order; or one mapping, list or iterator of (name, value), as containers are rebuilt.
        named: Fields by name. ``None`` means absent.

    Raises:
        TypeError: A field that the class does not have, or too many of them.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        names = self.field_names()
        if len(values) == 1 and isinstance(values[0], Mapping | Iterator | list):
            named = dict(values[0]) | named
            values = ()
        given = dict(zip(names, values, strict=False)) | named
        if len(values) > len(names) or not given.keys() <= set(names):
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(names)}")
        super().__init__((name, given[name]) for name in names if given.get(name) is not None)

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the names of all fields, there or not, in order."""
        return tuple(cls.__annotations__)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the values that are there, in field order."""
        return tuple(self[name] for name in self.field_names() if name in self)

    def __getitem__(self, key: str | int | slice) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __getattr__(self, name: str) -> Any:
        if name in self.field_names():
            return self.get(name)
        raise AttributeError(
            f"{type(self).__name__} has no field {name!r}; its fields: {', '.join(self.field_names())}"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.field_names():
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        if value is None:
            self.pop(name, None)
        else:
            self[name] = value
