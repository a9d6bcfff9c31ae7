"""Hub checkpoints, fetched by a process of its own from a hub on loopback, as a user's process would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albert_export.checkpoints import open_checkpoint
from tests.checkpoints.small_hub import Repository, SmallHub
from tests.checkpoints.tiny import write_tiny

OPEN = """
import json, sys, time
time.sleep = lambda _: None  # the client waits between its attempts
from albert_export.checkpoints import open_checkpoint
from albert_export.errors import AlbertExportError
try:
    checkpoint = open_checkpoint(**json.loads(sys.argv[1]))
    source = checkpoint.source
    result = {
        "kind": source.kind, "name": source.name, "revision": source.revision, "sha256": source.sha256,
        "files": sorted(path.name for path in checkpoint.directory.iterdir()),
        "sum": float(sum(abs(tensor).sum() for tensor in checkpoint.numpy_tensors().values())),
    }
except AlbertExportError as error:
    result = {"error": type(error).__name__, "message": str(error)}
print(json.dumps(result))
"""
NAME = "someone/albert-tiny"


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    with SmallHub() as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    write_tiny(tmp_path / "tiny")
    found = {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()}
    return {**found, "spiece.model": b"a vocabulary", "tokenizer_config.json": b"{}"}


def run(home: Path, endpoint: str, environment: dict[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    """Open a checkpoint in a new process whose only hub is ``endpoint`` and whose cache lies in ``home``."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", OPEN, json.dumps({"model": NAME, **arguments})],
        env={
            **inherited,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "*",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    if "message" in result:
        assert "\n" not in result["message"]
    return result


def test_fetches_what_is_needed_and_names_the_commit(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    unread = {"tf_model.h5": b"x" * 100, "flax_model.msgpack": b"x" * 100, "pytorch_model.bin": b"x" * 100}
    repository = hub.repositories[NAME] = Repository()
    commit = repository.commit({**files, **unread, "README.md": b"# tiny"})
    result = run(tmp_path / "home", hub.url)
    assert (result["kind"], result["name"], result["revision"]) == ("hub", NAME, commit)
    assert result["files"] == sorted(files)
    assert sorted(hub.fetched()) == sorted(files)
    # The identity of the weights does not depend on where they were found.
    assert result["sha256"] == open_checkpoint(tmp_path / "tiny").source.sha256


def test_second_run_needs_no_network(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    hub.repositories[NAME] = Repository()
    hub.repositories[NAME].commit(files)
    first = run(tmp_path / "home", hub.url)
    asked = len(hub.requests)
    assert run(tmp_path / "home", hub.url, local_files_only=True) == first
    assert run(tmp_path / "home", hub.url, {"HF_HUB_OFFLINE": "1"}) == first
    assert len(hub.requests) == asked
    assert run(tmp_path / "home", hub.url) == first
    # Only config.json is asked for again, to learn whether the branch has moved.
    again = [path for _, path, _ in hub.requests[asked:] if "/resolve/" in path]
    assert again == [f"/{NAME}/resolve/main/config.json"]
    assert len(hub.fetched()) == len(files)
    hub.close()
    assert run(tmp_path / "home", hub.url) == first


def test_revision_by_branch_and_by_commit(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    write_tiny(tmp_path / "other", hidden_size=32)
    other = {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}
    repository = hub.repositories[NAME] = Repository()
    old = repository.commit(files)
    wide = repository.commit(other, ref="wide")
    assert run(tmp_path / "home", hub.url)["revision"] == old
    by_branch = run(tmp_path / "home", hub.url, revision="wide")
    assert by_branch["revision"] == wide
    assert by_branch["sha256"] == open_checkpoint(tmp_path / "other").source.sha256
    assert run(tmp_path / "fresh", hub.url, revision=wide) == by_branch
    missing = run(tmp_path / "home", hub.url, revision="narrow")
    assert missing["error"] == "CheckpointError"
    assert "branch, tag or commit" in missing["message"]
    assert "narrow" in missing["message"]


def test_a_branch_that_moves_between_two_files_gives_one_state(
    hub: SmallHub, files: dict[str, bytes], tmp_path: Path
) -> None:
    write_tiny(tmp_path / "other", hidden_size=32)
    other = {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}
    repository = hub.repositories[NAME] = Repository()
    first = repository.commit(files)

    def move(path: str) -> None:
        if path.endswith("model.safetensors"):
            repository.commit(other)

    hub.before_answer = move
    result = run(tmp_path / "home", hub.url)
    assert repository.refs["main"] != first
    assert result["revision"] == first
    assert result["sha256"] == open_checkpoint(tmp_path / "tiny").source.sha256


def test_private_repository(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    repository = hub.repositories[NAME] = Repository(token="hf_secret")
    commit = repository.commit(files)
    refused = run(tmp_path / "home", hub.url)
    assert refused["error"] == "CheckpointError"
    assert "HF_TOKEN" in refused["message"]
    assert run(tmp_path / "home", hub.url, token="hf_secret")["revision"] == commit
    assert run(tmp_path / "fresh", hub.url, {"HF_TOKEN": "hf_secret"})["revision"] == commit
    wrong = run(tmp_path / "third", hub.url, token="hf_wrong")
    assert wrong["error"] == "CheckpointError"
    assert "hf_wrong" not in wrong["message"]


def test_gated_repository(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    hub.repositories[NAME] = Repository(gated=True)
    hub.repositories[NAME].commit(files)
    refused = run(tmp_path / "home", hub.url)
    assert refused["error"] == "CheckpointError"
    assert "gated" in refused["message"]
    assert f"{hub.url}/{NAME}" in refused["message"]


def test_unknown_repository(hub: SmallHub, tmp_path: Path) -> None:
    for name in (NAME, "albert-base-v9"):
        result = run(tmp_path / "home", hub.url, model=name)
        assert result["error"] == "CheckpointError"
        assert f"{name}: no such directory here, and no such repository" in result["message"]


def test_offline_and_not_cached(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    hub.repositories[NAME] = Repository()
    hub.repositories[NAME].commit(files)
    for arguments in ({"local_files_only": True}, {"environment": {"HF_HUB_OFFLINE": "1"}}):
        result = run(tmp_path / "home", hub.url, **arguments)
        assert result["error"] == "CheckpointError"
        assert "in the cache" in result["message"]
        assert "run once with network" in result["message"]
    assert hub.requests == []


def test_hub_that_does_not_answer(tmp_path: Path) -> None:
    with SmallHub() as gone:
        url = gone.url
    result = run(tmp_path / "home", url)
    assert result["error"] == "CheckpointError"
    assert f"{url} does not answer" in result["message"]


def test_sharded_and_torch_weights(hub: SmallHub, tmp_path: Path) -> None:
    from albert_export.checkpoints import write_sharded
    from tests.checkpoints.tiny import tiny_config, tiny_tensors

    config = tiny_config()
    config.save_pretrained(tmp_path / "sharded")
    write_sharded(tmp_path / "sharded", tiny_tensors(config), max_shard_size=2000)
    contents = {path.name: path.read_bytes() for path in (tmp_path / "sharded").iterdir()}
    repository = hub.repositories[NAME] = Repository()
    repository.commit(contents)
    result = run(tmp_path / "home", hub.url)
    assert result["sha256"] == open_checkpoint(tmp_path / "sharded").source.sha256
    shard = next(name for name in contents if name.startswith("model-00002"))
    repository.commit({name: data for name, data in contents.items() if name != shard}, ref="holed")
    holed = run(tmp_path / "home", hub.url, revision="holed")
    assert holed["error"] == "CheckpointError"
    assert shard in holed["message"]


def test_repository_without_readable_weights(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    repository = hub.repositories[NAME] = Repository()
    repository.commit({"config.json": files["config.json"], "model.ckpt.index": b"x"})
    result = run(tmp_path / "home", hub.url)
    assert result["error"] == "CheckpointError"
    assert "model.ckpt.index (a TensorFlow 1 checkpoint" in result["message"]
    repository.commit({"README.md": b""}, ref="bare")
    result = run(tmp_path / "home", hub.url, revision="bare")
    assert result["error"] == "CheckpointError"
    assert "config.json" in result["message"]


def test_download_that_breaks_off_is_told_and_taken_up_again(
    hub: SmallHub, files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.repositories[NAME] = Repository()
    commit = hub.repositories[NAME].commit(files)
    hub.cut_after = len(files["config.json"]) + 1000
    broken = run(tmp_path / "home", hub.url)
    assert broken["error"] == "CheckpointError"
    hub.cut_after = None
    assert run(tmp_path / "home", hub.url)["revision"] == commit


def test_cache_directory_of_the_caller(hub: SmallHub, files: dict[str, bytes], tmp_path: Path) -> None:
    hub.repositories[NAME] = Repository()
    hub.repositories[NAME].commit(files)
    run(tmp_path / "home", hub.url, cache_dir=str(tmp_path / "chosen"))
    assert (tmp_path / "chosen" / "models--someone--albert-tiny").is_dir()
    assert not (tmp_path / "home" / "hub").exists()
    blocked = tmp_path / "a_file"
    blocked.write_text("")
    result = run(tmp_path / "home", hub.url, cache_dir=str(blocked / "cache"))
    assert result["error"] == "CheckpointError"


def test_without_network_the_client_is_silent_and_quick(tmp_path: Path) -> None:
    """A name that resolves nowhere, as without network; ``.invalid`` never does."""
    code = """
import sys
from albert_export.checkpoints import open_checkpoint
try:
    open_checkpoint("modls/typo", progress=lambda line: print(line))
except Exception as error:
    print(type(error).__name__, error)
"""
    inherited = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **inherited,
            "HF_ENDPOINT": "https://hub.invalid",
            "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": "0",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    asked, told = done.stdout.splitlines()
    assert asked == "modls/typo is no directory here: asking the hub"
    assert told.startswith(
        "CheckpointError the hub must be reachable for what is not in the cache; received modls/typo"
    )


def test_the_retries_of_the_client_are_not_told(tmp_path: Path) -> None:
    with SmallHub() as gone:
        url = gone.url
    assert shown_on_stderr(tmp_path / "home", url) == ""


def shown_on_stderr(home: Path, endpoint: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", OPEN, json.dumps({"model": NAME})],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))},
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home),
            "NO_PROXY": "*",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stderr
