"""The process that measures the peak of matrix products; see :mod:`tools.gpu.workers`.

It is asked for ``precisions``, ``device``, ``sizes``, ``seconds`` and ``framework``, which is ``torch`` or ``jax``, and
tells a line for each precision: ``tflops`` of the best size, on random numbers: on zeros a chip draws less power, and
runs faster than on any model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tools.gpu.running import DTYPES
from tools.gpu.workers import one_line, request, tell

#: Runs a number of products and waits for the last.
Products = Callable[[int], None]


def main() -> None:
    """Measure every precision."""
    asked = request()
    for precision in asked["precisions"]:
        tell({"precision": precision, "framework": asked["framework"], **best_of(precision, asked)})


def best_of(precision: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return ``tflops`` and ``size`` of the best size, or the ``error`` where none can be measured."""
    found, error = [], None
    for size in asked["sizes"]:
        try:
            found.append((measure(precision, size, asked), size))
        except Exception as failure:  # noqa: BLE001  a smaller one may fit
            error = one_line(failure)
    if not found:
        return {"error": error}
    rate, size = max(found)
    return {"tflops": rate / 1e12, "size": size}


def measure(precision: str, size: int, asked: dict[str, Any]) -> float:
    """Return the operations a second of products of two square matrices."""
    make = {"torch": _with_torch, "jax": _with_jax}[asked["framework"]]
    products = make(DTYPES[precision], size, asked["device"])

    def seconds(count: int) -> float:
        started = time.perf_counter()
        products(count)
        return time.perf_counter() - started

    products(3)
    count = min(1000, max(3, int(asked["seconds"] / max(seconds(1), 1e-6))))
    return 2.0 * size**3 * count / seconds(count)


def _with_torch(dtype: str, size: int, device: str) -> Products:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    left, right = (torch.randn(size, size, device=device).to(getattr(torch, dtype)) for _ in range(2))
    out = torch.empty_like(left)

    def products(count: int) -> None:
        for _ in range(count):
            torch.mm(left, right, out=out)
        if device == "cuda":
            torch.cuda.synchronize()

    return products


def _with_jax(dtype: str, size: int, device: str) -> Products:
    import jax

    place = jax.devices(device)[0]
    with jax.default_device(place):
        keys = jax.random.split(jax.random.key(0))
        left, right = (jax.random.normal(key, (size, size)).astype(dtype) for key in keys)
    # As in all other ways here: fp32 is fp32.
    product = jax.jit(lambda a, b: jax.numpy.matmul(a, b, precision="highest" if dtype == "float32" else None))

    def products(count: int) -> None:
        out = left
        for _ in range(count):
            out = product(left, right)
        out.block_until_ready()

    return products


if __name__ == "__main__":
    main()
