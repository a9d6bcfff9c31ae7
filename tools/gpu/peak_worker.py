"""The process that measures the peak of matrix products; see :mod:`tools.gpu.workers`.

It is asked for ``precisions``, ``device``, ``sizes`` and ``seconds``, and tells a line for each precision: ``tflops``
of the best size, on random numbers: on zeros a chip draws less power, and runs faster than on any model.
"""

from __future__ import annotations

import time
from typing import Any

from tools.gpu.running import DTYPES
from tools.gpu.workers import one_line, request, tell


def main() -> None:
    """Measure every precision."""
    asked = request()
    for precision in asked["precisions"]:
        try:
            best = max((measure(precision, size, asked), size) for size in asked["sizes"])
            tell({"precision": precision, "tflops": best[0] / 1e12, "size": best[1]})
        except Exception as error:  # noqa: BLE001  told in the report
            tell({"precision": precision, "error": one_line(error)})


def measure(precision: str, size: int, asked: dict[str, Any]) -> float:
    """Return the operations a second of products of two square matrices."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    dtype = getattr(torch, DTYPES[precision])
    left, right = (torch.randn(size, size, device=asked["device"]).to(dtype) for _ in range(2))
    out = torch.empty_like(left)

    def wait() -> None:
        if asked["device"] == "cuda":
            torch.cuda.synchronize()

    def products(count: int) -> float:
        wait()
        started = time.perf_counter()
        for _ in range(count):
            torch.mm(left, right, out=out)
        wait()
        return time.perf_counter() - started

    products(3)
    count = min(1000, max(3, int(asked["seconds"] / max(products(1), 1e-6))))
    return 2.0 * size**3 * count / products(count)


if __name__ == "__main__":
    main()
