"""Whether a runtime keeps to a limit on device memory, has once what it opens twice, and frees it when it is closed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from albert_export.bench.shapes import Shape, make_inputs
from albert_export.errors import DeviceError
from albert_export.runtimes.jax_memory import gpu_id
from tools.gpu.plan import Way

#: A run that fits, and one whose largest tensor alone is above any limit that is given here.
SMALL, LARGE = Shape(2, 64), Shape(256, 512)

_MIB = 2**20
#: What libraries take besides a runtime's own memory: workspaces of cuBLAS and cuDNN.
_BESIDE = 512 * _MIB


def check_way(way: Way, model: str, scratch: Path) -> str:
    """Export a question-answering model and look at the memory of its runtime; return what was found, in a few words.

    For a process that has run nothing else.

    Args:
        way: What runs it, a runtime that can be given a limit.
        model: Directory of the checkpoint.
        scratch: Where the artifact goes.

    Raises:
        ValueError: See :func:`check_memory`.
    """
    from albert_export import export, load

    out = scratch / f"memory-{way.name}"
    bundle = export(str(way.target), model=model, task="question-answering", out=out, precision="fp32", parity=False)
    weights = sum(path.stat().st_size for path in out.rglob("*") if path.is_file() and "token" not in path.name)
    limit = max(2**30, 4 * weights)

    def open_one() -> Any:
        return load(bundle, target=way.target, device="cuda", runtime=way.runtime, device_memory=limit)

    return check_memory(open_one, taken_by_jax if way.runtime == "jax" else taken, weights=weights, limit=limit)


def check_memory(open_one: Callable[[], Any], used: Callable[[], int], *, weights: int, limit: int) -> str:
    """Open, run, overrun and close, and look at the memory that is taken in between; return it in a few words.

    Args:
        open_one: Opens the same artifact with the limit, each time anew.
        used: Returns the bytes that are taken now.
        weights: Bytes of its weights.
        limit: The limit, in bytes.

    Raises:
        ValueError: It takes more than the limit, has its weights twice, keeps them when it is closed, or does not go on
            after a run that was too large.
    """
    with open_one() as runtime:  # what the process takes once, and keeps: CUDA's context, the libraries' handles
        _run(runtime, SMALL)
    settled = used()
    first = open_one()
    _run(first, SMALL)
    one = used()
    second = open_one()
    _run(second, SMALL)
    two = used()
    if two - one > weights / 2:
        raise ValueError(f"opened again, the same artifact takes {_mib(two - one)} more: it is not shared")
    try:
        _run(first, LARGE)
    except DeviceError as error:
        if "\n" in str(error) or "fewer or shorter rows" not in str(error):
            raise ValueError(f"a run that is too large is told as: {error}") from error
    else:
        raise ValueError(f"a run of {LARGE.name} went through with a limit of {_mib(limit)}")
    overrun = used()
    if overrun - settled > limit + _BESIDE:
        raise ValueError(f"{_mib(overrun - settled)} are taken with a limit of {_mib(limit)}")
    _run(second, SMALL)
    first.close()
    second.close()
    left = used()
    if left - settled > weights / 2:
        raise ValueError(f"closed, and {_mib(left - settled)} are taken still")
    held = f"{_mib(one - settled)} for one and {_mib(two - settled)} for two, of {_mib(limit)}"
    return f"{held}; {_mib(left - settled)} left"


def _run(runtime: Any, shape: Shape) -> None:
    runtime.run(**make_inputs(shape, vocabulary=runtime.config.vocab_size))


def taken() -> int:
    """Return the bytes of the first GPU that all processes take, which are ours where nobody else is there."""
    found = used_memory()
    if found is None:
        raise ValueError("nvidia-smi does not tell how much memory is taken")
    return found * _MIB


def taken_by_jax() -> int:
    """Return the bytes that JAX has handed out; it keeps what it took of the GPU for later ones."""
    import jax

    return int(jax.devices("cuda")[0].memory_stats()["bytes_in_use"])


def used_memory() -> int | None:
    """Return the MiB of the first GPU of this process that are taken, by all processes, or None where nobody says."""
    query = ["nvidia-smi", f"--id={gpu_id(os.environ, 0)}", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = done.stdout.strip().splitlines()[:1]
    return int(first[0]) if first and first[0].strip().isdigit() else None


def _mib(count: float) -> str:
    return f"{count / _MIB:.0f} MiB"
