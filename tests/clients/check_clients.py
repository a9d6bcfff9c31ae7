"""Every client in the table answers as ours, and no longer does where one weight of the bundle is another.

``ALBERT_EXPORT_TEST_CLIENTS`` names those to run, all by default. Each client's program runs once, with all jobs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from albert_export.layouts import lay_out
from tests.clients.bundles import FORMS, altered_checkpoint, export_forms
from tests.clients.clients import CLIENTS, Client, Job
from tests.clients.comparing import differences
from tests.clients.environments import ClientError

NAMES = os.environ.get("ALBERT_EXPORT_TEST_CLIENTS", "").split() or [client.name for client in CLIENTS]
UNKNOWN = set(NAMES) - {client.name for client in CLIENTS}
if UNKNOWN:
    there = ", ".join(dict.fromkeys(client.name for client in CLIENTS))
    raise ValueError(f"a client must be one of {there}; received {', '.join(sorted(UNKNOWN))}")

CASES = [
    pytest.param(client, task, form, id=f"{client.name}-{task}-{form}")
    for client in CLIENTS
    if client.name in NAMES
    for task in client.tasks
    for form in client.forms
]

#: Questions, or rows of ids, of each task.
LEAST = 20

#: What a client was asked, what ours answers to it, and what it answers of the bundle and of the altered one.
Told = tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give the bundle of a task in some forms, or its layout, made when it is first asked for."""
    made: dict[str, Path] = {}

    def give(task: str, forms: tuple[str, ...], *, altered: bool, layout: str | None = None) -> Path:
        key = json.dumps([task, forms, altered, layout])
        if key not in made:
            directory = tmp_path_factory.mktemp("client") / task
            if layout is not None:
                lay_out(give(task, forms, altered=altered), layout, directory)
            else:
                model = altered_checkpoint(directory.with_name("checkpoint"), task) if altered else "albert-mini"
                export_forms(directory, task, forms, model=model)
            made[key] = directory
        return made[key]

    return give


@pytest.fixture(scope="session")
def told(bundle: Callable[..., Path]) -> Callable[[Client], dict[tuple[str, str], Told]]:
    """Ask a client everything at once; one that fails does so in each of its tests, but is not run again."""
    known: dict[tuple[str, ...], dict[tuple[str, str], Told] | str] = {}

    def give(client: Client) -> dict[tuple[str, str], Told]:
        key = (client.name, *client.forms)
        if key not in known:
            try:
                known[key] = _ask_all(client, bundle)
            except ClientError as error:
                known[key] = str(error)
        found = known[key]
        if isinstance(found, str):
            pytest.fail(found, pytrace=False)
        return found

    return give


def _ask_all(client: Client, bundle: Callable[..., Path]) -> dict[tuple[str, str], Told]:
    asked, jobs = {}, []
    for task in client.tasks:
        for name in client.forms:
            right = bundle(task, client.forms, altered=False)
            asked[task, name] = client.asked(right, task, FORMS[name])
            for altered in (False, True):
                source = bundle(task, client.forms, altered=altered)
                directory = bundle(task, client.forms, altered=altered, layout=client.layout)
                jobs.append(_job(source, directory, task, name, asked[task, name][0]))
    answers = iter(client.ask(jobs))
    return {key: (*pair, next(answers), next(answers)) for key, pair in asked.items()}


def _job(bundle: Path, directory: Path, task: str, form: str, records: list[dict[str, Any]]) -> Job:
    artifact = FORMS[form].select(bundle)
    return {
        "directory": str(directory),
        "file": str(directory / artifact.file),
        "files": [str(directory / record.path) for record in artifact.files],
        "task": task,
        "precision": artifact.precision,
        "outputs": [output["name"] for output in artifact.outputs],
        "records": records,
    }


@pytest.mark.parametrize(("client", "task", "form"), CASES)
def test_its_answers_are_ours(told: Callable[..., Any], client: Client, task: str, form: str) -> None:
    records, ours, theirs, _ = told(client)[task, form]
    assert sum(len(record.get("input_ids", "1")) for record in records) >= LEAST
    assert differences(theirs, ours, tolerance=client.tolerances[FORMS[form].precision]) == []


@pytest.mark.parametrize(("client", "task", "form"), CASES)
def test_one_altered_weight_is_noticed(told: Callable[..., Any], client: Client, task: str, form: str) -> None:
    _, ours, _, altered = told(client)[task, form]
    assert differences(altered, ours, tolerance=client.tolerances[FORMS[form].precision]) != []
