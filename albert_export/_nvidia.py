"""NVIDIA's driver and the GPUs that it hands out, as its own program tells them; no CUDA library is loaded."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_SECONDS = 20

#: What is asked of each GPU; drivers before 510 do not know the second.
_FIELDS = ("name", "compute_cap", "driver_version", "memory.total")
_FIELDS_BEFORE_510 = ("name", "driver_version", "memory.total")


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: E.g. ``NVIDIA H200``.
        compute_capability: E.g. ``9.0``; empty where the driver does not tell.
        driver: Version of its driver.
        memory_mib: Its memory in MiB, or None where it shares that of the machine.
    """

    name: str
    compute_capability: str
    driver: str
    memory_mib: int | None

    def __str__(self) -> str:
        """Tell it in one line: name, memory, compute capability, driver."""
        memory = None if self.memory_mib is None else f"{self.memory_mib} MiB"
        capability = f"compute capability {self.compute_capability}" if self.compute_capability else None
        return ", ".join(part for part in (self.name, memory, capability, f"driver {self.driver}") if part)


@dataclass(frozen=True)
class Driver:
    """What NVIDIA's program said.

    Attributes:
        gpus: In the order of their numbers.
        cuda: The newest CUDA that the driver runs, e.g. ``13.0``; None where it is not told.
        problem: Why there is no answer; None where there is one.
    """

    gpus: tuple[Gpu, ...] = ()
    cuda: str | None = None
    problem: str | None = None

    @property
    def version(self) -> str | None:
        """Version of the driver, where it has a GPU."""
        return self.gpus[0].driver if self.gpus else None


Ask = Callable[[Sequence[str]], tuple[int, str]]


def find_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs in the order of their numbers; none where there is no driver, or it does not answer."""
    return ask_driver(with_cuda=False).gpus


def ask_driver(ask: Ask | None = None, *, with_cuda: bool = True) -> Driver:
    """Ask NVIDIA's program for driver and GPUs.

    Args:
        ask: Runs it with arguments and returns exit status and output; the program itself by default.
        with_cuda: Whether to ask for the newest CUDA too, which takes another start of the program.
    """
    if ask is None:
        program = shutil.which("nvidia-smi")
        if program is None:
            return Driver(problem="there is no nvidia-smi")
        ask = _asking(program)
    for fields in (_FIELDS, _FIELDS_BEFORE_510):
        status, said = ask([f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"])
        if status == 0:
            break
        if "not a valid field" not in said:
            lines = [line.strip() for line in said.splitlines() if line.strip()]
            return Driver(problem=" ".join(lines)[:200] or f"nvidia-smi ended with status {status}")
    return Driver(parse_gpus(said), parse_cuda(ask([])[1]) if with_cuda else None)


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """Return the GPUs of an answer in CSV: name, of newer drivers compute capability, driver, and MiB.

    Lines of another form, such as ``No devices were found``, are no GPUs.
    """
    found = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        cells = [cell.strip() for cell in row]
        if len(cells) not in (3, 4):
            continue
        name, capability, driver, memory = cells if len(cells) == 4 else (cells[0], "", *cells[1:])
        capability = capability if re.fullmatch(r"\d+\.\d+", capability) else ""
        found.append(Gpu(name, capability, driver, int(memory) if memory.isdigit() else None))
    return tuple(found)


def parse_cuda(text: str) -> str | None:
    """Return the version of CUDA that the head of NVIDIA's table names, or None."""
    found = re.search(r"CUDA (?:UMD )?Version\s*:\s*(\d+\.\d+)", text)
    return None if found is None else found[1]


def _asking(program: str) -> Ask:
    def ask(arguments: Sequence[str]) -> tuple[int, str]:
        try:
            done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return 1, f"nvidia-smi does not answer: {type(error).__name__}"
        return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr

    return ask
