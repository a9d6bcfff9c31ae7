"""``bundle`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line
from tests.layouts.builders import write_full_bundle


def test_it_tells_what_it_wrote_and_how_to_start_it(invoke: Invoke, tmp_path: Path) -> None:
    write_full_bundle(tmp_path / "qa")
    result = invoke("bundle", tmp_path / "qa", "--for", "triton", "--out", tmp_path / "there", "--instances", "2")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{tmp_path / 'there'}: for triton, ")
    assert "  qa/1/model.onnx\n  qa/config.pbtxt\n" in result.stdout
    assert result.stdout.endswith(f"start it with: tritonserver --model-repository={tmp_path / 'there'}\n")
    assert result.stderr.startswith("note: ")
    assert "count: 2" in (tmp_path / "there" / "qa" / "config.pbtxt").read_text()


def test_json_and_quiet(invoke: Invoke, tmp_path: Path) -> None:
    write_full_bundle(tmp_path / "qa")
    result = invoke("bundle", tmp_path / "qa", "--for", "tfserving", "--out", tmp_path / "there", "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["directory"] == str(tmp_path / "there")
    assert "qa/1/saved_model.pb" in told["files"]
    assert told["notes"]


def test_an_option_of_another_program_is_an_error(invoke: Invoke, tmp_path: Path) -> None:
    write_full_bundle(tmp_path / "qa")
    result = invoke("bundle", tmp_path / "qa", "--for", "sparknlp", "--out", tmp_path / "there", "--name", "qa")
    assert result.exit_code == 2
    assert error_line(result.stderr) == (
        "Spark NLP leaves the choices --precision, --file; received --name; fix: leave it out"
    )
