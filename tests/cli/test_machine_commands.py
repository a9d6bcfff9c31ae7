"""``tasks``, ``targets``, ``doctor`` and ``completion``."""

from __future__ import annotations

import json
import subprocess

import pytest

from albert_export import doctor
from albert_export.targets import PRECISIONS, TARGETS
from albert_export.tasks import TASKS
from tests.cli.conftest import ROOT, Invoke, Spawn


def test_tasks_lists_every_name_alias_and_output(invoke: Invoke) -> None:
    printed = invoke("tasks").stdout
    for task in TASKS:
        assert task.summary in printed
        for name in (task.name, *task.aliases, *(output.name for output in task.outputs)):
            assert name in printed


def test_tasks_as_json_is_the_table(invoke: Invoke) -> None:
    rows = json.loads(invoke("tasks", "--json").stdout)
    assert [row["name"] for row in rows] == [task.name for task in TASKS]
    assert rows[-1]["outputs"][0] == {"name": "start_logits", "dtype": "float32", "axes": ["batch", "sequence"]}


def test_targets_tells_every_precision_and_the_forms_of_integers(invoke: Invoke) -> None:
    lines = invoke("targets").stdout.splitlines()
    header = lines[0].split()
    assert header[: len(PRECISIONS)] == list(PRECISIONS)
    for target, line in zip(TARGETS, lines[1:], strict=False):
        name, *cells = line.split()
        assert name == target.name
        held = {precision for precision, cell in zip(PRECISIONS, cells, strict=False) if cell != "-"}
        assert held == set(target.precisions)
        assert target.int8_form is None or f"  int8     by default {target.int8_form}" in lines
        assert (target.int8_form is not None) == ("int8" in target.precisions)
        assert target.int4_form is None or f"  int4     {target.int4_form}" in lines
        assert (target.int4_form is not None) == ("int4" in target.precisions)
    assert "  run by   ONNX Runtime on cpu, cuda: albert-export[onnxruntime]" in lines
    assert lines.count("  or by    OpenVINO on cpu, gpu, npu: albert-export[openvino], --runtime openvino") == 2


def test_targets_as_json_is_the_table(invoke: Invoke) -> None:
    rows = json.loads(invoke("targets", "--json").stdout)
    assert [(row["name"], tuple(row["precisions"])) for row in rows] == [(row.name, row.precisions) for row in TARGETS]


def test_doctor_prints_what_examine_found(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = doctor.examine()
    monkeypatch.setattr(doctor, "examine", lambda: diagnosis)
    result = invoke("doctor", "--json")
    assert result.exit_code == (0 if diagnosis.healthy else 1)
    assert json.loads(result.stdout) == json.loads(json.dumps(diagnosis.to_dict()))
    text = invoke("doctor").stdout
    for told in ("export onnx: yes", "run onnx: yes", "prove onnx: yes", diagnosis.machine.cpu):
        assert told in text


def test_doctor_ends_with_1_where_it_found_a_problem(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "probe", lambda module: ({}, None))
    diagnosis = doctor.examine({"onnxruntime": "1.30.0", "onnxruntime-gpu": "1.30.0"}.get)
    monkeypatch.setattr(doctor, "examine", lambda: diagnosis)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "problem: onnxruntime and onnxruntime-gpu are installed side by side" in result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(invoke: Invoke, shell: str) -> None:
    result = invoke("completion", shell)
    assert result.exit_code == 0
    assert "_ALBERT_EXPORT_COMPLETE" in result.stdout
    assert f"{shell}_complete" in result.stdout


def test_the_bash_script_is_one_that_bash_reads(invoke: Invoke) -> None:
    script = invoke("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("albert-export par", ["parity"]),
        ("albert-export onnx --task que", ["question-answering"]),
        ("albert-export onnx --layers ", ["rolled", "unrolled"]),
        ("albert-export run qa --device cu", ["cuda"]),
        ("albert-export run qa --precision fp", ["fp32", "fp16"]),
        ("albert-export onnx --model albert-", ["albert-mini", "albert-seeded", "albert-"]),
    ],
)
def test_completion_offers_the_names_of_the_tables(spawn: Spawn, words: str, offered: list[str]) -> None:
    process = spawn(
        _ALBERT_EXPORT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1)
    )
    out, err = process.communicate(timeout=60)
    assert err == ""
    assert [line.partition(",")[2] for line in out.split()] == offered


def test_the_page_of_the_command_line_is_current() -> None:
    from tools.generate_cli_docs import PAGE, render

    assert ROOT / "docs" / "cli.md" == PAGE
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs`"
