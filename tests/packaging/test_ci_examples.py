"""The examples for continuous integration under docs/ci: their commands exist, and the script does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from albert_export.cli import program
from tests.packaging.conftest import ROOT

FOLDER = ROOT / "docs" / "ci"


def commands() -> list[list[str]]:
    """Every call of albert-export in the examples, as arguments; variables stand for what they usually hold."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir()))
    calls = re.findall(r"^\s*(?:- run: )?(albert-export [^#\n]*)", text, re.MULTILINE)
    return [shlex.split(call.replace('"$target"', "onnx").replace('"$@"', ""))[1:] for call in calls]


def test_the_commands_of_the_examples_parse() -> None:
    found = commands()
    assert [call[0] for call in found] == ["onnx", "parity", "onnx", "parity"]
    for call in found:
        arguments = call[1:] if len(call) > 1 else ["bundle"]
        program.commands[call[0]].make_context(call[0], arguments)


def test_the_options_that_the_examples_add_exist() -> None:
    known = {option for param in program.commands["parity"].params for option in param.opts}
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.iterdir())
    added = {option for line in text.splitlines() if "set --" in line for option in re.findall(r"--[a-z-]{2,}", line)}
    assert {"--compare", "--report-dir"} <= added <= known


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A PATH whose albert-export writes down its arguments; for parity it ends with the code that was asked for."""
    command = tmp_path / "bin" / "albert-export"
    command.parent.mkdir()
    command.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "with open('calls', 'a') as file: print(json.dumps(sys.argv[1:]), file=file)\n"
        "sys.exit(int(os.environ['CODE']) if sys.argv[1] == 'parity' else 0)\n"
    )
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_script_exports_every_target_and_ends_as_parity_does(
    environment: dict[str, str], tmp_path: Path, code: int
) -> None:
    (tmp_path / "old.json").write_text("{}")
    variables = {"CODE": str(code), "TARGETS": "onnx tflite", "MODEL": "a model", "BASELINE": "old.json"}
    done = subprocess.run(["sh", str(FOLDER / "check.sh")], cwd=tmp_path, env={**environment, **variables}, check=False)
    assert done.returncode == code
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == ["onnx", "tflite", "parity"]
    assert calls[0][calls[0].index("--model") + 1] == "a model"
    assert calls[-1] == [
        "parity", "bundle", "--model", "a model", "--report-dir", "reports", "--compare", "old.json",
    ]  # fmt: skip


def test_the_script_compares_with_nothing_where_there_is_no_older_report(
    environment: dict[str, str], tmp_path: Path
) -> None:
    variables = {"CODE": "0", "BASELINE": "absent.json"}
    subprocess.run(["sh", str(FOLDER / "check.sh")], cwd=tmp_path, env={**environment, **variables}, check=True)
    assert "--compare" not in (tmp_path / "calls").read_text()


def test_what_is_meant_to_be_worse_can_be_accepted(environment: dict[str, str], tmp_path: Path) -> None:
    """Else the baseline would stay what it is for ever: it is replaced where the comparison lets the run pass."""
    (tmp_path / "old.json").write_text("{}")
    variables = {"CODE": "0", "BASELINE": "old.json", "ACCEPT": "1"}
    subprocess.run(["sh", str(FOLDER / "check.sh")], cwd=tmp_path, env={**environment, **variables}, check=True)
    (script,) = re.findall(r"- name: parity\n.*?run: \|\n(.*?)\n {6}- ", _workflow(), re.DOTALL)
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "report.json").write_text("{}")
    for accept in ("true", "false", ""):
        variables = {"CODE": "0", "MODEL": "a model", "ACCEPT": accept}
        subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env={**environment, **variables}, check=True)
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines() if '"parity"' in line]
    assert ["--compare" in call for call in calls] == [False, False, True, True]
    assert re.search(r"workflow_dispatch:\s+inputs:\s+accept:", _workflow())
    assert "inputs.accept" in _workflow()


def _workflow() -> str:
    return (FOLDER / "github-actions.yml").read_text(encoding="utf-8")
