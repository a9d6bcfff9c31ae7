"""What this machine can build and run, what is missing, and what stands in its way."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from albert_export._imports import import_path
from albert_export._machine import Machine, describe_machine
from albert_export._nvidia import ask_driver
from albert_export._version import __version__
from albert_export.errors import DISTRIBUTION, install_command
from albert_export.nvidia_parts import Found, Part, nvidia_parts, why_no_session
from albert_export.runtime_table import RUNTIMES, get_runtime
from albert_export.runtimes.advice import Advice, advise
from albert_export.targets import TARGETS, Target

Verb = Literal["export", "run", "prove", "compile"]

#: Distributions that all install into one folder, by the one that the extras ask for: any of them serves. Two of them
#: overwrite each other's files, and removing either leaves a torn package that imports and has no attributes.
BUILDS: Mapping[str, tuple[str, ...]] = {
    "onnxruntime": (
        "onnxruntime",
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-qnn",
        "onnxruntime-rocm",
        "onnxruntime-migraphx",
        "onnxruntime-silicon",
    ),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-rocm", "tf-nightly"),
}

#: Endings of the names of what NVIDIA builds for a major version of CUDA; the name without one asks for one of them.
_CUDA_BUILDS = ("cu13", "cu12")

#: What lets JAX reach a GPU, by the major version of CUDA.
JAX_PLUGINS = ("jax-cuda13-plugin", "jax-cuda12-plugin")

#: Distributions that have no build for other systems.
LINUX_ONLY = ("libtpu",)

_PROBE_SECONDS = 120


@dataclass(frozen=True)
class Package:
    """One package that an extra asks for.

    Attributes:
        name: Distribution name.
        requirement: What the extra asks for, e.g. ``torch>=2.11``.
        installed: Installed version, or None.
        state: ``ok``; ``missing``; ``too old``: outside the range; ``broken``: it is installed and cannot be imported.
        facts: What the package said about itself, e.g. the execution providers of its build.
        error: Last line of the failed import, when broken.
    """

    name: str
    requirement: str
    installed: str | None
    state: Literal["ok", "missing", "too old", "broken"]
    facts: Mapping[str, Any]
    error: str | None = None


@dataclass(frozen=True)
class Ability:
    """Whether this machine can do one thing with one target.

    Attributes:
        target: Name of the target.
        verb: ``export`` it, ``run`` it, ``prove`` it by a parity check, or ``compile`` it ahead of time for a
            processor that need not be there (``--aot``).
        able: Everything it needs is there.
        needs: Packages that are missing, too old or broken.
        fix: The command that mends it, or None.
        runtime: Name of the runtime, where it is another than the target's own.
    """

    target: str
    verb: Verb
    able: bool
    needs: tuple[str, ...]
    fix: str | None
    runtime: str | None = None


@dataclass(frozen=True)
class Problem:
    """Something that will fail or mislead until it is mended; a package that is only absent is no problem.

    As a hint: something that works and could work better.
    """

    what: str
    fix: str


@dataclass(frozen=True)
class Diagnosis:
    """Everything :func:`examine` found; ``to_dict`` is what ``albert-export doctor --json`` prints.

    ``fastest`` is which runtime to read what with, on the CPU, as far as it was measured; ``nvidia`` what of NVIDIA's
    is here, and what each part lacks.
    """

    tool: str
    python: str
    machine: Machine
    packages: tuple[Package, ...]
    abilities: tuple[Ability, ...]
    problems: tuple[Problem, ...]
    hints: tuple[Problem, ...]
    fastest: tuple[Advice, ...] = ()
    nvidia: tuple[Part, ...] = ()

    @property
    def healthy(self) -> bool:
        """No problem was found."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "healthy": self.healthy}


def examine(installed: Callable[[str], str | None] | None = None) -> Diagnosis:
    """Look at this machine. Takes seconds: the packages are really imported, each in a process of its own.

    Args:
        installed: Gives the installed version of a distribution, or None; the interpreter's own metadata by default.
    """
    installed = installed or installed_version
    extras = _extras()
    asked = {extra for target in TARGETS for extra in itertools.chain(*_needs(target).values())}
    wanted = {extra: _requirements(extras, extra) for extra in sorted(asked | {row.extra for row in RUNTIMES})}
    for row in RUNTIMES:
        wanted[row.extra] = tuple(dict.fromkeys((*wanted[row.extra], *row.beside)))
    requirements = sorted({requirement for group in wanted.values() for requirement in group})
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        packages = tuple(pool.map(lambda requirement: _examine_package(requirement, installed), requirements))
    by_requirement = {package.requirement: package for package in packages}
    machine = describe_machine()
    found = {extra: [by_requirement[line] for line in lines] for extra, lines in wanted.items()}
    abilities = (
        *(
            _ability(target, verb, {extra: found[extra] for extra in verb_extras})
            for target in TARGETS
            for verb, verb_extras in _needs(target).items()
        ),
        *(
            _ability(target, "run", {row.extra: found[row.extra]}, runtime=row.name)
            for target in TARGETS
            for row in map(get_runtime, target.runtimes[1:])
        ),
    )
    return Diagnosis(
        tool=__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        machine=machine,
        packages=packages,
        abilities=abilities,
        fastest=tuple(_fastest(machine)),
        nvidia=_nvidia_parts(packages, installed),
        problems=tuple(_problems(packages, installed)),
        hints=tuple(_hints(machine, packages)),
    )


def _nvidia_parts(packages: Iterable[Package], installed: Callable[[str], str | None]) -> tuple[Part, ...]:
    """Put together what :func:`albert_export.nvidia_parts.nvidia_parts` decides on."""
    by_name = {package.name: package for package in packages}

    def find(name: str) -> Found:
        names = _builds_of(name)
        package = next((by_name[build] for build in names if build in by_name), None)
        if package is not None and package.installed is not None:
            return Found(package.name, package.installed, package.facts, package.error)
        distribution = next((build for build in names if installed(build) is not None), None)
        if distribution is None:
            return Found(name)
        return Found(distribution, installed(distribution), *probe(_module_name(name)))

    return nvidia_parts(
        ask_driver(),
        **{name: find(name) for name in ("torch", "onnxruntime", "tensorrt", "polygraphy", "jax")},
        jaxlib=Found("jaxlib", installed("jaxlib")),
        plugins=[Found(name, installed(name)) for name in JAX_PLUGINS],
    )


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _needs(target: Target) -> dict[Verb, tuple[str, ...]]:
    """What can be done with a target -> the extras it takes."""
    needs: dict[Verb, tuple[str, ...]] = {
        "export": target.export_extras,
        "run": (target.own_runtime.extra,),
        "prove": target.proof_extras,
    }
    if target.compile_extra is not None:
        needs["compile"] = (target.build_extra, target.compile_extra)
    return needs


def _extras() -> dict[str, list[str]]:
    """Extra -> its requirements, from the installed metadata, or from pyproject.toml in a bare checkout."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        pyproject = Path(__file__).parent.parent / "pyproject.toml"
        if not pyproject.is_file():
            return {}
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        return dict(project["optional-dependencies"])
    extras: dict[str, list[str]] = {}
    for line in lines:
        requirement, _, marker = line.partition(";")
        named = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if named:
            extras.setdefault(named[1], []).append(requirement.strip())
    return extras


def _requirements(extras: Mapping[str, list[str]], extra: str) -> tuple[str, ...]:
    return tuple(sorted(extras.get(extra, ())))


def _examine_package(requirement: str, installed: Callable[[str], str | None]) -> Package:
    name, minimum = _parse(requirement)
    distribution, version = name, installed(name)
    if version is None:
        for build in _builds_of(name):
            if installed(build) is not None:
                distribution, version = build, installed(build)
                break
    if version is None:
        return Package(name, requirement, None, "missing", {})
    if _numbers(version) < _numbers(minimum):
        return Package(distribution, requirement, version, "too old", {})
    facts, error = probe(_module_name(name))
    return Package(distribution, requirement, version, "broken" if error else "ok", facts, error)


def _builds_of(name: str) -> tuple[str, ...]:
    """Return the names of all distributions that bring a package, that of the package first."""
    return (*BUILDS.get(name, (name,)), *(f"{name}-{build}" for build in _CUDA_BUILDS))


def _parse(requirement: str) -> tuple[str, str]:
    """``torch>=2.11`` -> (``torch``, ``2.11``); the extras of this project use no other form."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9][^,\s]*))?.*", requirement)
    if match is None:
        raise AssertionError(f"a requirement of an unknown form: {requirement}")
    return match[1], match[2] or "0"


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in release[0].split(".")) if release else ()


def _module_name(distribution: str) -> str:
    return distribution.replace("-", "_")


def probe(module: str) -> tuple[dict[str, Any], str | None]:
    """Import ``module``; return what it says about itself, and the error if it failed.

    It happens in a process of its own: a native library that does not fit the machine kills the interpreter that
    imports it, and that must not be this one.
    """
    code = f"import json; from albert_export._probes import facts; found = facts({module!r})"
    code += "; print(); print(json.dumps(found))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": import_path()},
        )
    except subprocess.TimeoutExpired:
        return {}, f"importing {module} took more than {_PROBE_SECONDS} s"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return {}, lines[-1] if lines else f"importing {module} ended the process with status {done.returncode}"
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found, None


def _fastest(machine: Machine) -> Iterable[Advice]:
    """Yield which runtime to read what with, where several were measured."""
    for target in TARGETS:
        if len(target.runtimes) > 1:
            for precision in target.precisions:
                for calibrated in (False, True) if precision in target.calibrated else (False,):
                    advice = advise(target, precision, calibrated=calibrated, features=machine.features)
                    if advice.measured:
                        yield advice


def _ability(
    target: Target, verb: Verb, needed: Mapping[str, Sequence[Package]], *, runtime: str | None = None
) -> Ability:
    """Judge by the packages of each extra; the fix names only extras that lack something."""
    lacking = [package for packages in needed.values() for package in packages if package.state != "ok"]
    fix = None
    if lacking:
        upgrade = any(package.state == "too old" for package in lacking)
        broken = [package.name for package in lacking if package.state == "broken"]
        # The CPU build must not be installed over the GPU build, which serves as well.
        gpu = any(package.name == "onnxruntime-gpu" for package in lacking)
        extras = [
            "gpu" if gpu and extra == "onnxruntime" else extra
            for extra, packages in needed.items()
            if any(package.state != "ok" for package in packages)
        ]
        beside = {
            command
            for row in RUNTIMES
            for line, command in row.beside.items()
            if line in {p.requirement for p in lacking}
        }
        by_extra = [package for package in lacking if all(package.requirement not in row.beside for row in RUNTIMES)]
        fix = " && ".join([*([install_command(*extras, upgrade=upgrade)] if by_extra else []), *sorted(beside)])
        if broken:
            fix = f"pip install --force-reinstall {' '.join(broken)}"
        if any(package.name in LINUX_ONLY for package in lacking) and sys.platform != "linux":
            fix = f"on Linux, {fix}"
    return Ability(target.name, verb, not lacking, tuple(package.name for package in lacking), fix, runtime)


def _problems(packages: Iterable[Package], installed: Callable[[str], str | None]) -> Iterable[Problem]:
    torn: set[str] = set()
    for asked_for, names in BUILDS.items():
        builds = [build for build in names if installed(build) is not None]
        if len(builds) > 1:
            torn.update(builds)
            keep = next(build for build in reversed(builds) if build != asked_for)
            yield Problem(
                f"{' and '.join(builds)} are installed side by side and overwrite each other's files",
                f"pip uninstall --yes {' '.join(builds)} && pip install {keep}",
            )
    for package in packages:
        if package.state == "broken" and package.name not in torn:
            yield Problem(
                f"{package.name} {package.installed} is installed and cannot be imported: {package.error}",
                f"pip install --force-reinstall {package.name}",
            )
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        yield Problem("this is a free-threaded Python, for which most runtimes have no build", "use a standard Python")


def _hints(machine: Machine, packages: Iterable[Package]) -> Iterable[Problem]:
    for package in packages:
        providers = package.facts.get("providers")
        if not machine.gpus or providers is None:
            continue
        if "CUDAExecutionProvider" in providers and "cuda" not in package.facts.get("devices", ()):
            yield Problem(
                f"{machine.gpus[0]} is there, and {package.name} {package.installed} cannot open a session on it",
                why_no_session(package.facts)[1],
            )
        elif "CUDAExecutionProvider" not in providers:
            yield Problem(
                f"{machine.gpus[0]} is there, and {package.name} {package.installed} runs on the CPU alone",
                f"pip uninstall --yes {package.name} && {install_command('gpu')}",
            )
