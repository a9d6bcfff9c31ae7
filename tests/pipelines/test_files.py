"""JSON lines in, JSON lines out: order, ids, streaming, atomic output, and errors that name the line."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.pipelines.files import run_file, run_lines, to_json
from albert_export.pipelines.text_classification import TextClassificationPipeline
from albert_export.pipelines.token_classification import TokenClassificationPipeline
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config


@pytest.fixture
def pipe(tokenizer: AlbertTokenizerFast) -> TextClassificationPipeline:
    """The number of tokens, as a regression."""

    def compute(attention_mask: np.ndarray, **_: np.ndarray) -> dict[str, np.ndarray]:
        return {"logits": attention_mask.sum(1, keepdims=True).astype(np.float32)}

    settings = config(num_labels=1, max_position_embeddings=32)
    return TextClassificationPipeline(PlayedRuntime("text-classification", compute, config=settings), tokenizer)


def texts(count: int) -> list[str]:
    return [json.dumps({"text": "the " * (index % 7) + "sea", "id": index}) + "\n" for index in range(count)]


def numbers(results: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> list[float]:
    return [result["result"]["score"] for result in results]


def test_results_come_in_order_with_their_ids(pipe: TextClassificationPipeline) -> None:
    results = list(run_lines(pipe, texts(40), batch_size=3))
    assert [result["id"] for result in results] == list(range(40))
    assert numbers(results) == [index % 7 + 3 for index in range(40)]
    assert list(results[0]) == ["id", "line", "result"]
    assert [result["line"] for result in results] == list(range(1, 41))


def test_lines_are_read_only_a_few_batches_ahead(pipe: TextClassificationPipeline) -> None:
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in texts(1000):
            read += 1
            yield line

    results = run_lines(pipe, lines(), batch_size=2)
    next(results)
    assert read <= 10


def test_records_may_carry_other_things_and_blank_lines_are_nothing(pipe: TextClassificationPipeline) -> None:
    lines = ['{"text": "the sea", "source": {"page": 3}}', "", "  \n", '{"text": "the", "id": null}']
    results = list(run_lines(pipe, lines))
    assert results[0] == {"line": 1, "result": {"label": "LABEL_0", "score": 4.0}}
    assert results[1]["id"] is None
    assert results[1]["line"] == 4


def test_results_of_lists(tokenizer: AlbertTokenizerFast) -> None:
    def compute(input_ids: np.ndarray, **_: np.ndarray) -> dict[str, np.ndarray]:
        return {"logits": np.stack([0 * input_ids, 1 + 0 * input_ids], axis=-1).astype(np.float32)}

    runtime = PlayedRuntime("token-classification", compute, config=config(id2label={0: "O", 1: "B-SEA"}))
    (result,) = run_lines(TokenClassificationPipeline(runtime, tokenizer), ['{"text": "the sea"}'])
    assert [entity["text"] for entity in result["result"]] == ["the", "sea"]
    json.dumps(result)


def test_a_file(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\ufeff" + "".join(texts(10)) + '{"text": "Zoë — 北京"}', encoding="utf-8")
    seen: list[tuple[int, int | None]] = []
    assert run_file(pipe, source, target, batch_size=4, progress=lambda done, total: seen.append((done, total))) == 11
    assert seen == [(done, 11) for done in range(1, 12)]
    answers = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert numbers(answers)[:10] == [index % 7 + 3 for index in range(10)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_options_reach_the_pipeline(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    (result,) = run_lines(pipe, texts(1), top_k=1)
    assert isinstance(result["result"], list)
    with pytest.raises(InputError, match="did you mean top_k"):
        list(run_lines(pipe, texts(1), topk=1))
    with pytest.raises(InputError, match="batch_size must be"):
        list(run_lines(pipe, texts(1), batch_size=0))


def test_an_empty_file_has_no_answers(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("")
    assert run_file(pipe, source, target) == 0
    assert target.read_text() == ""


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{not json", "line 3 must be a JSON object; received '{not json' (Expecting property name"),
        ('["a"]', "line 3 must be a JSON object; received '[\"a\"]'"),
        ("7", "line 3 must be a JSON object"),
        ('{"txt": "a"}', "line 3: an input must have the keys text; received txt; fix: rename txt to text"),
        ('{"text": 7}', "line 3: text must be a string; received int"),
        ('{"text": null}', "line 3: text must be a string; received NoneType"),
        (r'{"text": "\ud800"}', "line 3: text must be valid Unicode; received half of a surrogate pair, U+D800"),
        ("[" * 100_000, "line 3 must be a JSON object"),
        ('{"text": "a", "id": ' + "1" * 5000 + "}", "line 3 must be a JSON object"),
        ('{"text": "a", "id": NaN}', '"id": NaN}\' (NaN is no JSON number)'),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(
    pipe: TextClassificationPipeline, tmp_path: Path, line: str, part: str
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "a"}\n\n' + line + '\n{"text": "b"}\n', encoding="utf-8")
    target.write_text("what was there before")
    with pytest.raises(InputError) as caught:
        run_file(pipe, source, target)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert target.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_an_interrupted_run_leaves_what_was_there(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(texts(20)))
    target.write_text("what was there before")

    def stop(done: int, total: int | None) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_file(pipe, source, target, batch_size=1, progress=stop)
    assert target.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_files_that_cannot_be_used(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(texts(2)))
    binary = tmp_path / "binary"
    binary.write_bytes(b'{"text": "\xff\xfe"}')
    for given, target, part in (
        (tmp_path / "absent", tmp_path / "out", "input must be a file that can be read"),
        (tmp_path, tmp_path / "out", "input must be a file that can be read"),
        (binary, tmp_path / "out", "text in UTF-8"),
        (source, source, "another file than the input"),
        (source, tmp_path, "output must be a file that can be written"),
        (source, tmp_path / "absent" / "out", "output must be a file that can be written"),
    ):
        with pytest.raises(InputError, match=part):
            run_file(pipe, given, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["binary", "in.jsonl"]
    assert source.read_text() == "".join(texts(2))


def test_lines_that_are_open_already(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(texts(3)))
    with source.open(encoding="utf-8") as lines:
        assert run_file(pipe, lines, target) == 3
        assert not lines.closed
    assert len(target.read_text().splitlines()) == 3
    source.write_bytes(b'{"text": "a"}\n{"text": "\xff"}\n')
    with (
        source.open(encoding="utf-8") as lines,
        pytest.raises(InputError, match=r"text in UTF-8; received .*in\.jsonl"),
    ):
        run_file(pipe, lines, target)
    assert len(target.read_text().splitlines()) == 3


def test_an_id_that_is_no_unicode_is_handed_on(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    run_file(pipe, [r'{"text": "a", "id": "\ud800 Zo\u00eb"}'], target)
    assert json.loads(target.read_text(encoding="utf-8"))["id"] == "\ud800 Zoë"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_read_once_and_written_directly(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    os.mkfifo(source)
    os.mkfifo(target)
    received: list[str] = []
    writer = threading.Thread(target=lambda: source.write_text("".join(texts(5))), daemon=True)
    reader = threading.Thread(target=lambda: received.append(target.read_text()), daemon=True)
    writer.start()
    reader.start()
    seen: list[tuple[int, int | None]] = []
    assert run_file(pipe, source, target, progress=lambda done, total: seen.append((done, total))) == 5
    writer.join(10)
    reader.join(10)
    assert len(received[0].splitlines()) == 5
    assert seen[-1] == (5, None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_device_is_told(pipe: TextClassificationPipeline, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(texts(3)))
    with pytest.raises(InputError, match=r"output must be a file that can be written.*No space left"):
        run_file(pipe, source, "/dev/full")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a process's files")
@pytest.mark.parametrize("count", [20, 2000])  # fails when the file is flushed at its end; fails in the middle
def test_a_full_disk_leaves_what_was_there(pipe: TextClassificationPipeline, tmp_path: Path, count: int) -> None:
    import resource

    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(texts(count)))
    target.write_text("what was there before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(InputError, match="output must be a file that can be written"):
            run_file(pipe, source, target, batch_size=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_texts_that_were_cut_are_told_once(pipe: TextClassificationPipeline, caplog: pytest.LogCaptureFixture) -> None:
    lines = [json.dumps({"text": "the " * length}) for length in (3, 50, 4, 60, 5)]
    list(run_lines(pipe, lines, batch_size=1))
    assert caplog.messages == ["2 of 5 texts had more than 32 tokens and were cut"]


def test_to_json_goes_into_lists(pipe: TextClassificationPipeline) -> None:
    nested = [[pipe("a")], pipe("b")]
    assert to_json(nested) == [[pipe("a").to_dict()], pipe("b").to_dict()]
