"""``albert-export run``: every head on text, files of JSON lines, and what bad input gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import albert_export
from albert_export.cli.output import render_result
from albert_export.cli.run_command import _stdin
from albert_export.errors import InputError
from tests.cli.conftest import ROOT, Invoke
from tests.cli.test_program import error_line
from tests.conftest import Exported

QUESTION = ("--question", "Who wrote it?", "--context", "Ada Lovelace wrote the first program.")


def test_the_command_gives_what_the_pipeline_gives(invoke: Invoke, exported: Exported) -> None:
    bundle = exported("question-answering")
    result = invoke("run", bundle, *QUESTION, "--top-k", "3", "-o", "max_answer_len=4", "--json")
    assert result.exit_code == 0, result.stderr
    with albert_export.pipeline(bundle) as qa:
        answers = qa(QUESTION[1], QUESTION[3], top_k=3, max_answer_len=4)
    assert json.loads(result.stdout) == [answer.to_dict() for answer in answers]


def test_a_person_gets_a_table_and_is_told_that_the_model_is_untrained(invoke: Invoke, exported: Exported) -> None:
    result = invoke("run", exported("question-answering"), *QUESTION)
    header, row = result.stdout.splitlines()
    assert header.split() == ["text", "score", "start", "end", "no_answer_score"]
    assert row.split()[0] in QUESTION[3]
    assert result.stderr.startswith("note: albert-seeded is untrained")
    assert invoke("run", exported("question-answering"), *QUESTION, "-q").stderr == ""


@pytest.mark.parametrize(
    ("task", "args", "column"),
    [
        ("feature-extraction", ("--text", "hello"), "embedding"),
        ("feature-extraction", ("--text", "hello", "-o", "pooling=pooled"), "embedding"),
        ("pretraining", ("--text", "A sentence.", "--text-pair", "Another."), "in_order"),
        ("fill-mask", ("--text", "Paris is the [MASK] of France.", "--top-k", "2"), "token_str"),
        ("text-classification", ("--text", "Good!"), "label"),
        ("text-classification", ("--text", "Good!", "--text-pair", "Bad!"), "label"),
        ("multiple-choice", ("--prompt", "It rained, so", "--choice", "a", "--choice", "b"), "index"),
        ("token-classification", ("--text", "Ada Lovelace lived in London.", "-o", "ignore_labels=[]"), "label"),
    ],
)
def test_every_head_runs_on_text(
    invoke: Invoke, exported: Exported, task: str, args: tuple[str, ...], column: str
) -> None:
    shown = invoke("run", exported(task), *args, "-q")
    assert shown.exit_code == 0, shown.stderr
    assert column in shown.stdout.splitlines()[0].split()
    result = json.loads(invoke("run", exported(task), *args, "-q", "--json").stdout)
    assert column in (result[0] if isinstance(result, list) else result)


def test_a_long_vector_is_shortened_for_people_only(invoke: Invoke, exported: Exported) -> None:
    args = ("run", exported("feature-extraction"), "--text", "hello", "-q")
    vector = json.loads(invoke(*args, "--json").stdout)["embedding"]
    assert f"… {len(vector)} in all]" in invoke(*args).stdout


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    lines = [{"id": 7, "question": "Who?", "context": "Ada did it."}, {"question": "Wer?", "context": "Zoë war’s."}]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def test_lines_in_a_file_are_answered_line_by_line(
    invoke: Invoke, exported: Exported, questions: Path, tmp_path: Path
) -> None:
    bundle = exported("question-answering")
    result = invoke("run", bundle, "--input", questions)
    assert result.exit_code == 0, result.stderr
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["id"], first["line"], second["line"]) == (7, 1, 2)
    assert first["result"]["text"] in "Ada did it."
    assert second["result"]["text"] in "Zoë war’s."

    out = tmp_path / "answers.jsonl"
    written = invoke("run", bundle, "--input", questions, "--output", out)
    assert written.exit_code == 0, written.stderr
    assert written.stdout == ""
    assert f"answered 2 lines into {out}" in written.stderr
    assert out.read_text(encoding="utf-8").splitlines() == result.stdout.splitlines()


def test_lines_come_from_stdin_as_well(invoke: Invoke, exported: Exported, questions: Path) -> None:
    bundle = exported("question-answering")
    piped = invoke("run", bundle, "--input", "-", "-q", stdin=questions.read_text(encoding="utf-8"))
    assert piped.stdout == invoke("run", bundle, "--input", questions, "-q").stdout
    assert len(piped.stdout.splitlines()) == 2


def test_lines_of_stdin_go_into_a_file_as_well(
    invoke: Invoke, exported: Exported, questions: Path, tmp_path: Path
) -> None:
    bundle, out = exported("question-answering"), tmp_path / "answers.jsonl"
    text = questions.read_text(encoding="utf-8")
    written = invoke("run", bundle, "--input", "-", "--output", out, stdin=text)
    assert written.exit_code == 0, written.stderr
    assert out.read_text(encoding="utf-8") == invoke("run", bundle, "--input", questions, "-q").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_shows_how_far_a_file_is(exported: Exported, questions: Path, tmp_path: Path, quiet: bool) -> None:
    terminal, theirs = os.openpty()
    code = "from albert_export.cli import main; main()"
    files = ("--input", str(questions), "--output", str(tmp_path / "out.jsonl"))
    options = ["-q"] if quiet else []
    command = [sys.executable, "-c", code, "run", str(exported("question-answering")), *files, *options]
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        here = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=here, check=False)
        os.set_blocking(terminal, False)
        shown = (screen.read(100_000) or b"").decode()
        os.close(theirs)
    assert (done.returncode, done.stdout) == (0, b"")
    assert ("answering" in shown and "2/2" in shown) is not quiet
    assert (shown == "") is quiet


def test_a_closed_stdin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="received a stdin that is closed"):
        _stdin()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "takes --question and --context, or --input; received none of them"),
        (("--text", "hello"), "takes --question and --context, or --input; received --text"),
        (("--question", "Who?"), "takes --question and --context, or --input; received --question"),
        ((*QUESTION, "--text", "x"), "received --question and --context and --text"),
        ((*QUESTION, "--input", "x.jsonl"), "cannot go together; received --question and --context and --input; fix: "),
        ((*QUESTION, "--output", "x.jsonl"), "--output needs --input; received --output alone; fix: "),
        ((*QUESTION, "--device", "foo"), "cuda:N; received foo; fix: auto takes the best there is"),
        ((*QUESTION, "--threads", "100000"), "threads must be a whole number from 1 to"),
        ((*QUESTION, "-o", "top_k"), "--option must be NAME=VALUE"),
        ((*QUESTION, "-o", "topk=3"), "did you mean top_k?"),
        ((*QUESTION, "-o", "doc_stride=many"), "doc_stride must be a whole number"),
        (("--question", "", "--context", "x"), "question must not be empty; received ''"),
        ((*QUESTION, "--device", "npu"), "device must be"),
        ((*QUESTION, "--device", "cuda:99"), "cuda"),
        ((*QUESTION, "--target", "onx"), "did you mean onnx?"),
        ((*QUESTION, "--precision", "int8"), "onnx/model.onnx (onnx, fp32)"),
        ((*QUESTION, "--precision", "int88"), "did you mean int8"),
        (("--input", "/no/such.jsonl"), "the input must be a file that can be read; received /no/such.jsonl"),
        (("--input", "."), "the input must be a file that can be read"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_line(
    invoke: Invoke, exported: Exported, args: tuple[str, ...], told: str
) -> None:
    result = invoke("run", exported("question-answering"), *args)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert told in error_line(result.stderr)


def test_one_choice_is_too_few(invoke: Invoke, exported: Exported) -> None:
    result = invoke("run", exported("multiple-choice"), "--prompt", "It rained, so", "--choice", "b")
    assert result.exit_code == 2
    told = "choices must be a list of at least two texts; received 'b'; fix: give two or more"
    assert error_line(result.stderr).startswith(told)


def test_a_small_score_is_not_shown_as_0() -> None:
    assert render_result({"score": 1.25e-7}).splitlines()[1].strip() == "1.250e-07"
    assert render_result({"score": 0.98765}).splitlines()[1].strip() == "0.9877"


@pytest.mark.parametrize("name", ["top_k", "anything"])
def test_a_head_without_options_says_so(invoke: Invoke, exported: Exported, name: str) -> None:
    choice = ("--prompt", "It rained, so", "--choice", "a", "--choice", "b")
    result = invoke("run", exported("multiple-choice"), *choice, "-o", f"{name}=1")
    assert result.exit_code == 2
    assert error_line(result.stderr) == f"this head takes no options; received {name}; fix: leave it out"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"question": "Who?", "context": "Ada."}\nhello\n', "line 2 must be a JSON object"),
        (b"[1]\n", "line 1 must be a JSON object"),
        (b'{"question": "Who?"}\n', "line 1: an input must have the keys question, context"),
        (b"\xff\xfe\n", "the input must be text in UTF-8"),
    ],
)
@pytest.mark.parametrize("to_a_file", [False, True])
def test_a_bad_line_is_named_and_the_old_answers_stay(
    invoke: Invoke, exported: Exported, tmp_path: Path, content: bytes, told: str, to_a_file: bool
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(content)
    out.write_text("yesterday's answers\n", encoding="utf-8")
    args = ("--output", out) if to_a_file else ()
    result = invoke("run", exported("question-answering"), "--input", source, *args)
    assert result.exit_code == 2
    assert told in error_line(result.stderr)
    assert out.read_text(encoding="utf-8") == "yesterday's answers\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]
