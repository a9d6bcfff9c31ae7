"""What of NVIDIA's is here, part by part, and what each part lacks: driver, GPU, CUDA, TensorRT, ONNX Runtime, JAX.

Everything here decides on plain values; who finds them out is :mod:`albert_export.doctor`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from albert_export._nvidia import Driver
from albert_export.errors import install_command
from albert_export.runtime_table import TENSORRT_INSTALL
from albert_export.runtimes.cuda_failures import BRING_CUDA, read_failure
from albert_export.runtimes.onnxruntime_devices import told

_GIVE_GPU = "run it on a machine with an NVIDIA GPU; in a container, start it with --gpus all"


@dataclass(frozen=True)
class Found:
    """One distribution.

    Attributes:
        name: Of the distribution.
        version: Installed version, or None.
        facts: What the package said about itself; see :mod:`albert_export._probes`.
        error: Why it cannot be imported, or None.
    """

    name: str
    version: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def told(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: How people call it.
        ready: Nothing is missing.
        found: What is there, or what is missing, in a few words.
        fix: What brings what is missing; None where it is ready.
    """

    name: str
    ready: bool
    found: str
    fix: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.found}" if self.ready else f"{self.name}: no: {self.found}; fix: {self.fix}"


def nvidia_parts(
    driver: Driver,
    *,
    torch: Found,
    onnxruntime: Found,
    tensorrt: Found,
    polygraphy: Found,
    jax: Found,
    jaxlib: Found,
    plugins: Sequence[Found],
) -> tuple[Part, ...]:
    """Return all parts in the order in which they build on each other.

    Args:
        driver: What NVIDIA's program said.
        torch: PyTorch.
        onnxruntime: Whichever build of ONNX Runtime is installed.
        tensorrt: TensorRT's Python bindings.
        polygraphy: Polygraphy.
        jax: JAX.
        jaxlib: What JAX runs on.
        plugins: JAX's plugins for CUDA that are installed.
    """
    return (
        _driver(driver),
        _gpu(driver),
        _cuda(driver, [each for each in (torch, onnxruntime) if each.version is not None]),
        _tensorrt(driver, tensorrt, polygraphy),
        _onnxruntime(driver, onnxruntime),
        _onnxruntime_tensorrt(driver, onnxruntime, tensorrt),
        _jax(driver, jax, jaxlib, plugins),
    )


def _driver(driver: Driver) -> Part:
    if driver.problem is not None:
        fix = "install NVIDIA's driver, which brings it; in a container, start it with --gpus all"
        return Part("NVIDIA driver", False, driver.problem, fix)
    if driver.version is None:
        return Part("NVIDIA driver", False, "nvidia-smi answers, and finds no GPU", _GIVE_GPU)
    runs = "" if driver.cuda is None else f", runs CUDA up to {driver.cuda}"
    return Part("NVIDIA driver", True, f"{driver.version}{runs}")


def _gpu(driver: Driver) -> Part:
    if not driver.gpus:
        return Part("GPU", False, "no NVIDIA GPU", _GIVE_GPU)
    return Part("GPU", True, "; ".join(map(str, driver.gpus)))


def _cuda(driver: Driver, packages: Sequence[Found]) -> Part:
    """Hold what the packages are built for to what the driver runs."""
    built = [(package, str(package.facts["cuda"])) for package in packages if "cuda" in package.facts]
    built_for = ", ".join(f"{package.told} is built for {version}" for package, version in built)
    if not built:
        names = " and ".join(package.told for package in packages) or "nothing that uses it"
        return Part("CUDA", False, f"{names} {'are' if len(packages) > 1 else 'is'} built without", _builds(driver))
    newest = driver.cuda
    if newest is None and driver.gpus:  # a container that was given the GPU, and not the library by which it computes
        fix = "start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility, or install the driver again"
        return Part("CUDA", False, f"the driver names none that it runs; {built_for}", fix)
    if newest is None:
        return Part("CUDA", False, f"no driver runs it; {built_for}", _GIVE_GPU)
    # CUDA promises that a driver runs what was built for its own major version.
    above = [package for package, version in built if _numbers(version)[:1] > _numbers(newest)[:1]]
    if above:
        names = " and ".join(package.name for package in above)
        fix = f"upgrade the driver, or install {names} in the build for CUDA {_numbers(newest)[0]}"
        return Part("CUDA", False, f"{built_for}, and the driver runs up to {newest}", fix)
    return Part("CUDA", True, f"{built_for}; the driver runs up to {newest}")


def _builds(driver: Driver) -> str:
    return install_command("gpu") if driver.gpus else _GIVE_GPU


def _tensorrt(driver: Driver, tensorrt: Found, polygraphy: Found) -> Part:
    if tensorrt.version is None:
        return Part("TensorRT", False, "tensorrt is not installed", TENSORRT_INSTALL)
    if tensorrt.error is not None:
        return Part("TensorRT", False, f"{tensorrt.told} does not load: {tensorrt.error}", TENSORRT_INSTALL)
    if polygraphy.version is None:
        found = f"{tensorrt.told} without polygraphy, through which it is run"
        return Part("TensorRT", False, found, install_command("tensorrt"))
    if not driver.gpus:
        return Part("TensorRT", False, f"{tensorrt.told} loads, and there is no GPU", _GIVE_GPU)
    return Part("TensorRT", True, f"{tensorrt.told}, {polygraphy.told}")


def _onnxruntime(driver: Driver, onnxruntime: Found) -> Part:
    name = "ONNX Runtime on CUDA"
    if onnxruntime.version is None:
        return Part(name, False, "onnxruntime-gpu is not installed", install_command("gpu"))
    if onnxruntime.error is not None:
        fix = f"pip install --force-reinstall {onnxruntime.name}"
        return Part(name, False, f"{onnxruntime.told} does not load: {onnxruntime.error}", fix)
    if "CUDAExecutionProvider" not in onnxruntime.facts.get("providers", ()):
        fix = f"pip uninstall --yes {onnxruntime.name} && {install_command('gpu')}" if driver.gpus else _GIVE_GPU
        return Part(name, False, f"{onnxruntime.told} runs on the CPU alone", fix)
    if "cuda" in onnxruntime.facts.get("devices", ()):
        return Part(name, True, f"{onnxruntime.told} opens sessions")
    if not driver.gpus:
        return Part(name, False, f"{onnxruntime.told} has the provider, and there is no GPU", _GIVE_GPU)
    why, fix = why_no_session(onnxruntime.facts)
    return Part(name, False, f"{onnxruntime.told} cannot open a session{why}", fix)


def why_no_session(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Return why ONNX Runtime opens no session on a GPU, as the end of a sentence, and what mends it.

    Args:
        facts: What it said about itself.
    """
    lacks = [library for library in facts.get("lacks", ()) if not library.startswith("libnv")]
    if lacks:
        return f" and lacks {', '.join(lacks)}", BRING_CUDA
    refused = str(facts.get("refused", ""))
    failure = read_failure(refused)
    return f": {told(refused)}" if refused else "", BRING_CUDA if failure is None else failure.fix


def _onnxruntime_tensorrt(driver: Driver, onnxruntime: Found, tensorrt: Found) -> Part:
    name = "ONNX Runtime with TensorRT"
    if onnxruntime.version is None or "TensorrtExecutionProvider" not in onnxruntime.facts.get("providers", ()):
        there = "onnxruntime-gpu is not installed" if onnxruntime.version is None else f"{onnxruntime.told} lacks it"
        return Part(name, False, there, _builds(driver) if onnxruntime.version else install_command("gpu"))
    lacks = [library for library in onnxruntime.facts.get("lacks", ()) if library.startswith("libnv")]
    if lacks:
        release = re.search(r"\.so\.(\d+)", lacks[0])
        pinned = "" if release is None else f"=={release[1]}.*"
        return Part(name, False, f"{onnxruntime.told} lacks {', '.join(lacks)}", f"{TENSORRT_INSTALL}{pinned}")
    if "cuda" not in onnxruntime.facts.get("devices", ()):
        return Part(name, False, "it takes what CUDA takes, which is not there", "see ONNX Runtime on CUDA")
    if tensorrt.version is None:
        return Part(name, True, f"{onnxruntime.told}, with TensorRT's libraries of the system")
    return Part(name, True, f"{onnxruntime.told}, {tensorrt.told}")


def _jax(driver: Driver, jax: Found, jaxlib: Found, plugins: Sequence[Found]) -> Part:
    name = "JAX on CUDA"
    wanted = 12 if driver.cuda is not None and _numbers(driver.cuda) < (13,) else 13
    brings = f"pip install 'jax[cuda{wanted}]'"
    if jax.version is None:
        return Part(name, False, "jax is not installed", f"{install_command('jax')} && {brings}")
    there = [plugin for plugin in plugins if plugin.version is not None]
    if not there:
        return Part(name, False, f"{jax.told} without its CUDA plugin", brings)
    if len(there) > 1:
        found = f"{' and '.join(plugin.told for plugin in there)} stand side by side"
        return Part(name, False, found, f"pip uninstall --yes {' '.join(each.name for each in there)} && {brings}")
    (plugin,) = there
    if jaxlib.version is not None and _numbers(plugin.version)[:3] != _numbers(jaxlib.version)[:3]:
        found = f"{plugin.told} beside {jaxlib.told}, which must be of one version"
        return Part(name, False, found, f"{brings} --upgrade")
    if "cuda" in jax.facts.get("devices", ()):
        return Part(name, True, f"{jax.told}, {plugin.told}")
    if not driver.gpus:
        return Part(name, False, f"{plugin.told} is there, and there is no GPU", _GIVE_GPU)
    why = f": {jax.error}" if jax.error else ""
    return Part(name, False, f"{jax.told} does not see the GPU{why}", f"{brings} --upgrade, and check nvidia-smi")


def _numbers(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or ""))
