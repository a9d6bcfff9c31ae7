"""Every head from a real bundle of the built-in model: results hold together, alone, in lists and in files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import albert_export
from albert_export.bundle import Bundle
from albert_export.errors import AlbertExportError, BundleError
from albert_export.pipelines import PIPELINES, pipeline, pipeline_class, run_file, to_json
from albert_export.tasks import TASKS

Exported = Callable[..., Path]

TEXT = "Ada Lovelace wrote the notes on the engine of Charles Babbage in 1843."
LONG = TEXT + " " + "The engine weaves algebraic patterns, just as the loom weaves flowers and leaves. " * 30
RECORDS: dict[str, list[dict[str, Any]]] = {
    "feature-extraction": [{"text": TEXT}, {"text": ""}, {"text": LONG}, {"text": "a", "text_pair": "b"}],
    "pretraining": [{"text": TEXT, "text_pair": LONG}, {"text": "the [MASK]."}, {"text": "a", "text_pair": "b"}],
    "fill-mask": [{"text": "the [MASK] wrote [MASK]"}, {"text": LONG + "[MASK]"}, {"text": "[MASK]"}],
    "text-classification": [{"text": TEXT}, {"text": ""}, {"text": LONG, "text_pair": TEXT}],
    "multiple-choice": [{"prompt": TEXT, "choices": ["a", "b b b"]}, {"prompt": "", "choices": ["a", TEXT, LONG]}],
    "token-classification": [{"text": TEXT}, {"text": ""}, {"text": LONG}, {"text": "北京 Zoë"}],
    "question-answering": [{"question": "Who?", "context": TEXT}, {"question": "What weaves?", "context": LONG}],
}


@pytest.fixture(params=[task.name for task in TASKS])
def pipe(request: pytest.FixtureRequest, exported: Exported) -> Iterator[Any]:
    with pipeline(exported(request.param), device="cpu", threads=1) as opened:
        yield opened


def numbers(value: Any) -> list[float]:
    """Every float in plain JSON values."""
    if isinstance(value, dict):
        return [number for entry in value.values() for number in numbers(entry)]
    if isinstance(value, list):
        return [number for entry in value for number in numbers(entry)]
    return [value] if isinstance(value, float) else []


def rest(value: Any) -> Any:
    """The same without the floats."""
    if isinstance(value, dict):
        return {key: rest(entry) for key, entry in value.items()}
    return [rest(entry) for entry in value] if isinstance(value, list) else None if isinstance(value, float) else value


def test_every_task_has_a_pipeline() -> None:
    assert list(PIPELINES) == [task.name for task in TASKS]
    assert [pipeline_class(task.name).task for task in TASKS] == [task.name for task in TASKS]


def test_alone_in_a_list_and_in_a_file(pipe: Any, tmp_path: Path) -> None:
    records = RECORDS[pipe.task]
    alone = [to_json(pipe(record)) for record in records]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    run_file(pipe, source, target, batch_size=5)
    from_file = [json.loads(line)["result"] for line in target.read_text(encoding="utf-8").splitlines()]
    for together in (to_json(pipe(records, batch_size=3)), from_file):
        for mine, other in zip(alone, together, strict=True):
            assert rest(mine) == rest(other)
            np.testing.assert_allclose(numbers(mine), numbers(other), rtol=1e-3, atol=1e-5)
    assert all(0 <= number <= 1 for number in numbers(alone)) or pipe.task == "feature-extraction"


def test_offsets_point_at_what_they_name(exported: Exported) -> None:
    with albert_export.pipeline(exported("ner"), device="cpu") as ner:
        for entity in ner(LONG, ignore_labels=[]):
            assert LONG[entity.start : entity.end] == entity.text
    with albert_export.pipeline(exported("qa"), device="cpu") as qa:
        for answer in qa(question="What weaves?", context=LONG, top_k=10):
            assert LONG[answer.start : answer.end] == answer.text


def test_several_threads_may_call_one_pipeline(pipe: Any) -> None:
    records = RECORDS[pipe.task]
    expected = [to_json(pipe(record)) for record in records]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            assert [to_json(found) for found in pool.map(pipe, records)] == expected


def test_a_closed_pipeline_says_so(exported: Exported) -> None:
    with pipeline(exported("qa"), device="cpu") as qa:
        pass
    with pytest.raises(AlbertExportError, match="closed"):
        qa(question="Who?", context=TEXT)


def test_an_opened_bundle(exported: Exported) -> None:
    with pipeline(Bundle.open(exported("qa")), device="cpu") as qa:
        assert qa(question="Who?", context=TEXT).text in TEXT


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        pipeline(tmp_path)
