"""What importing costs, and what it does without."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.packaging.conftest import ROOT
from tests.packaging.environments import Environment

FRAMEWORKS = (
    "torch",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "tensorflow",
    "jax",
    "flax",
    "transformers",
    "tensorrt",
    "polygraphy",
)

#: Code that works on a framework's objects: it may import that framework at its top, and nothing else imports it early.
NEEDS_FRAMEWORK = ("albert_export.graphs.", "albert_export.models.")

LIST_MODULES = """
import pkgutil, albert_export
print("\\n".join(module.name for module in pkgutil.walk_packages(albert_export.__path__, "albert_export.")))
"""

IMPORT_EACH = """
import importlib, json, sys
failures, loaded = {}, {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failures[name] = [type(error).__name__, getattr(error, "package", None) or error.name, str(error)]
print(json.dumps(failures))
"""

FRAMEWORKS_AFTER = """
import importlib, json, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps([name for name in sys.argv[1].split(",") if name in sys.modules]))
"""


def run_here(code: str, *args: str) -> str:
    """Run code in a fresh process of this environment, where every framework is installed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def modules(bare: Environment) -> list[str]:
    names = bare.python_code(LIST_MODULES).split()
    assert len(names) > 20
    return names


def test_every_module_imports_without_frameworks(bare: Environment, modules: list[str]) -> None:
    light = [name for name in modules if not name.startswith(NEEDS_FRAMEWORK)]
    done = bare.run("-c", IMPORT_EACH, *light)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


def test_the_other_modules_lack_nothing_but_their_framework(bare: Environment, modules: list[str]) -> None:
    heavy = [name for name in modules if name.startswith(NEEDS_FRAMEWORK)]
    done = bare.run("-c", IMPORT_EACH, *heavy)
    assert done.returncode == 0, done.stderr
    failures = json.loads(done.stdout)
    assert {package for _, package, _ in failures.values()} <= {
        "torch",
        "onnx",
        "onnx_ir",
        "tensorflow",
        "flatbuffers",
        "jax",
    }, failures


def test_a_public_class_without_its_framework_names_the_extra(bare: Environment) -> None:
    printed = bare.python_code(
        "import albert_export\n"
        "try:\n    albert_export.AlbertForQuestionAnswering\n"
        "except ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    assert printed.startswith("MissingDependencyError")
    assert "pip install 'albert-export[onnx]'" in printed


def test_the_interpreter_of_the_test_has_the_frameworks() -> None:
    """Else the tests below would pass whatever the package imports."""
    assert json.loads(run_here(FRAMEWORKS_AFTER, ",".join(FRAMEWORKS), "torch", "onnx")) != []


def test_importing_any_light_module_imports_no_framework(modules: list[str]) -> None:
    light = [name for name in modules if not name.startswith(NEEDS_FRAMEWORK)]
    assert json.loads(run_here(FRAMEWORKS_AFTER, ",".join(FRAMEWORKS), *light)) == []


def test_importing_the_package_and_the_command_line_loads_neither_hub_nor_tokenizers() -> None:
    heavy = "huggingface_hub,tokenizers,sentencepiece,numpy"
    assert json.loads(run_here(FRAMEWORKS_AFTER, heavy, "albert_export", "albert_export.cli")) == []


def seconds(code: str) -> float:
    """The least of several runs: what the machine does besides can only add."""
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        run_here(code)
        taken.append(time.perf_counter() - start)
    return min(taken)


def test_importing_the_package_takes_under_three_tenths_of_a_second() -> None:
    assert seconds("import albert_export") - seconds("pass") < 0.3


def test_importing_the_command_line_takes_under_half_a_second() -> None:
    assert seconds("import albert_export.cli") - seconds("pass") < 0.5


COMMANDS = [
    "onnx",
    "savedmodel",
    "tflite",
    "stablehlo",
    "tensorrt",
    "run",
    "parity",
    "inspect",
    "bench",
    "bundle",
    "convert",
    "tasks",
    "targets",
    "doctor",
    "completion",
]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_runs_without_frameworks(bare: Environment, command: str) -> None:
    done = bare.run("-c", "from albert_export.cli import main; main()", *command.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: albert-export {command}".rstrip())
    assert done.stderr == ""


def test_the_list_of_commands_above_is_complete(bare: Environment) -> None:
    printed = bare.python_code("from albert_export.cli import program; print(*program.commands)")
    assert printed.split() == COMMANDS


@pytest.mark.parametrize(
    ("target", "extra"),
    [
        ("onnx", "onnx"),
        ("savedmodel", "tensorflow"),
        ("tflite", "tensorflow"),
        ("stablehlo", "jax"),
        ("tensorrt", "onnx,tensorrt"),
    ],
)
def test_an_export_without_its_framework_names_the_extra_and_writes_nothing(
    bare: Environment, target: str, extra: str
) -> None:
    out = bare.root / "out"
    main = "from albert_export.cli import main; main()"
    done = bare.run(
        "-c",
        main,
        target,
        "--task",
        "qa",
        "--model",
        "albert-seeded",
        "--out",
        str(out),
        ALBERT_EXPORT_CACHE=str(bare.root / "cache"),
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert f"pip install 'albert-export[{extra}]'" in done.stderr
    assert not out.exists()


def test_doctor_runs_without_frameworks(bare: Environment) -> None:
    done = bare.run("-c", "from albert_export.cli import main; main()", "doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {package["name"]: package["state"] for package in found["packages"]} == dict.fromkeys(
        (
            "ai-edge-litert",
            "flatbuffers",
            "flax",
            "jax",
            "libtpu",
            "onnx",
            "onnx-ir",
            "onnxruntime",
            "openvino",
            "polygraphy",
            "tensorflow",
            "tensorrt",
            "torch",
        ),
        "missing",
    )
    assert not any(ability["able"] for ability in found["abilities"])
