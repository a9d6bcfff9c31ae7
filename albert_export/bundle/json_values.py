"""Plain JSON values in one canonical form, so that equal contents are equal bytes."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from typing import Any

from albert_export.errors import BundleError


def plain(value: object, where: str) -> Any:
    """Return ``value`` made of dicts with string keys, lists, strings, ints, finite floats, booleans and None.

    Tuples become lists and numpy's numbers become Python's. A float that is not finite becomes the string ``"nan"``,
    ``"inf"`` or ``"-inf"``: JSON has no such numbers, and the parity figures of a broken artifact do.

    Raises:
        BundleError: Something else is in it; ``where`` names the field.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise BundleError(f"{where} must be text that UTF-8 can hold", received=ascii(value)) from error
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise BundleError(f"{where} must have strings for keys", received=key)
        return {plain(key, where): plain(value[key], f"{where}.{key}") for key in value}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    raise BundleError(f"{where} must be made of JSON values", received=f"a {type(value).__name__}")


def canonical(value: object) -> str:
    """Return the one text of a plain JSON value: keys sorted, indented by two spaces, a newline at the end."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
