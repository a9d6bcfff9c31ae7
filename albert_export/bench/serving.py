"""The measured side: a process that loads one artifact and times it when it is told to.

A line of JSON on stdin is a request, one on stdout its reply. Only this side holds the clock, so that pipes and JSON
are in no figure.

===========  ==================================  ==================================================================
``do``       further fields                      reply
===========  ==================================  ==================================================================
``load``     what ``prepare`` needs              ``seconds``; ``idle_bytes`` before, ``resident_bytes`` after;
                                                 ``facts``, what runs where
``first``    ``inputs``: name -> nested lists    ``seconds`` of the first run of these inputs, which later ones repeat
``turn``                                         ``seconds`` of a run that follows another one at once
``memory``                                       ``resident_bytes``, ``peak_bytes``
``outputs``  ``inputs``, ``save``: a path        the outputs lie there as an ``.npz`` file
===========  ==================================  ==================================================================

A request that fails is answered with ``error``, one line, and ``user``: whether it is the user's or a defect.

It needs numpy and the standard library, and so serves other programs' models in other environments as well.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from albert_export.bench.memory import peak_bytes, resident_bytes
from albert_export.errors import AlbertExportError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Loaded:
    """A model, ready to run.

    Attributes:
        run: Takes the inputs and returns the outputs, as name -> array.
        facts: JSON values that say what runs where.
    """

    run: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    facts: Mapping[str, Any]


#: Gets a request to load, imports what it takes, and returns what then loads: importing is in no figure.
Prepare = Callable[[Mapping[str, Any]], Callable[[], Loaded]]


def serve(prepare: Prepare) -> None:
    """Answer requests until stdin ends."""
    served = _Served(prepare)
    with _replies() as replies:
        for line in sys.stdin:
            replies.write(json.dumps(_answer(served, json.loads(line))) + "\n")
            replies.flush()


def _replies() -> IO[str]:
    """Return the process's stdout and leave stderr in its place: native libraries print where they like."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8")


def _answer(served: _Served, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(getattr(served, request.pop("do"))(**request))
    except Exception as error:  # noqa: BLE001  the other side raises it
        return _failure(error)


def _failure(error: Exception) -> dict[str, Any]:
    """Tell an error; what the machine has too little of, or cannot read, is no defect."""
    text = " ".join(str(error).split())
    if isinstance(error, AlbertExportError):
        return {"error": text, "user": True}
    if isinstance(error, MemoryError):
        rule, fix = "the memory must suffice", "measure fewer artifacts or smaller shapes"
        return {"error": str(AlbertExportError(rule, received=text or "MemoryError", fix=fix)), "user": True}
    return {"error": f"{type(error).__name__}: {text}", "user": isinstance(error, OSError)}


class _Served:
    """One method a request."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._loaded: Loaded | None = None
        self._inputs: Mapping[str, Array] = {}
        self._held = 0

    def load(self, **request: Any) -> dict[str, Any]:
        load = self._prepare(request)
        idle = resident_bytes()
        start = time.perf_counter()
        self._loaded = load()
        seconds = time.perf_counter() - start
        self._held = resident_bytes()
        return {"seconds": seconds, "idle_bytes": idle, "resident_bytes": self._held, "facts": self._loaded.facts}

    def first(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self._inputs = _arrays(inputs)
        return {"seconds": self._timed()}

    def turn(self) -> dict[str, Any]:
        # Others ran meanwhile: this run takes the processor's caches back and wakes the threads, the next is timed.
        self._timed()
        return {"seconds": self._timed()}

    def memory(self) -> dict[str, Any]:
        now = resident_bytes()
        # The kernel counts in steps, and its peak may lag behind what it said before.
        return {"resident_bytes": now, "peak_bytes": max(peak_bytes(), now, self._held)}

    def outputs(self, inputs: dict[str, Any], save: str) -> dict[str, Any]:
        outputs: dict[str, Any] = dict(self._run(_arrays(inputs)))
        np.savez(save, **outputs)
        return {}

    def _run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        assert self._loaded is not None, "load comes first"
        return self._loaded.run(inputs)

    def _timed(self) -> float:
        start = time.perf_counter()
        self._run(self._inputs)
        return time.perf_counter() - start


def _arrays(inputs: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(values, np.int64) for name, values in inputs.items()}
