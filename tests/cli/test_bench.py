"""``albert-export bench``: what it prints and writes, and what it refuses; no time is judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from albert_export.bundle import Bundle
from albert_export.checkpoints.hub import Hub
from albert_export.cli.options import names_in
from albert_export.targets import get_target
from tests.cli.conftest import Invoke, Spawn
from tests.cli.test_program import error_line
from tests.conftest import Exported

QUICK = ("--shapes", "1x8,2x12p", "--repeats", "2", "--loads", "2", "--threads", "1")


def test_a_bundle_is_measured_in_tables_json_and_a_picture(invoke: Invoke, exported: Exported, tmp_path: Path) -> None:
    bundle = exported("question-answering")
    outputs = ("--save", tmp_path / "bench.json", "--plot", tmp_path / "bench.png")
    result = invoke("bench", bundle, *QUICK, *outputs)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["file", "MB", "load", "s"]
    assert [line.split()[:2] for line in lines[4:]] == [["1x8", "onnx/model.onnx"], ["2x12p", "onnx/model.onnx"]]
    assert all(line.split()[-1] == "1.00" for line in (lines[1], *lines[4:])), "the only one is the baseline"
    assert "bench: load 2 of 2\nbench: 1x8, 2 rounds of 1\n" in result.stderr
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG\r\n")

    document = json.loads((tmp_path / "bench.json").read_text())
    (fields,) = document["artifacts"]
    assert (fields["name"], fields["target"], fields["device"], fields["threads"]) == (
        "onnx/model.onnx",
        "onnx",
        "cpu",
        1,
    )
    assert fields["file_bytes"] == (bundle / "onnx/model.onnx").stat().st_size
    assert len(fields["load_seconds"]) == 2 and min(fields["load_seconds"]) > 0
    memory = fields["memory"]
    assert memory["idle_bytes"] > 0 and 0 < memory["resident_bytes"] <= memory["peak_bytes"]
    for shape in ("1x8", "2x12p"):
        latency = fields["latency"][shape]
        assert len(latency["runs_seconds"]) == 2 and 0 < latency["least_seconds"] <= latency["median_seconds"]
    assert set(fields["error"]["largest"]) == {"start_logits", "end_logits"}
    assert 0 < max(fields["error"]["largest"].values()) < 1e-4
    assert document["options"] == {"device": "auto", "threads": 1, "seed": 0, "repeats": 2, "loads": 2}
    assert str(tmp_path) not in json.dumps(document)


def test_two_bundles_are_told_apart_and_the_baseline_can_be_chosen(
    invoke: Invoke, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        shutil.copytree(exported("question-answering"), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    quick = ("--shapes", "1x8", "--repeats", "1", "--loads", "1", "--no-error", "--quiet")
    result = invoke("bench", "one/", "two", "--baseline", "two/onnx/model.onnx", *quick, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert document["baseline"] == "two/onnx/model.onnx"
    first, second = document["artifacts"]
    assert (first["name"], second["name"]) == ("one/onnx/model.onnx", "two/onnx/model.onnx")
    assert (second["latency"]["1x8"]["ratio"], second["speed"], second["error"]) == (1.0, 1.0, None)
    assert first["latency"]["1x8"]["ratio"] > 0


def test_a_bundle_from_a_directory_has_no_error_and_a_note(invoke: Invoke, exported: Exported, tmp_path: Path) -> None:
    bundle = moved(exported("question-answering"), tmp_path, kind="directory", name="albert-qa")
    quick = ("--shapes", "1x8", "--repeats", "1", "--loads", "1", "-q")
    result = invoke("bench", bundle, *quick)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[1].split()[-3:] == ["-", "-", "1.00"]
    assert result.stdout.splitlines()[-1].startswith("note: no error of qa: the eager model needs the checkpoint")
    # Another checkpoint, once named, is a mistake and no note.
    shutil.copytree(bundle, tmp_path / "other")
    refused = invoke("bench", bundle, *quick, "--model", tmp_path / "none")
    assert (refused.exit_code, refused.stdout) == (2, "")


def moved(bundle: Path, place: Path, **source: str) -> Path:
    """A copy of a bundle that says it was made from another checkpoint."""
    copy = Path(shutil.copytree(bundle, place / "qa"))
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["source"] |= source
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert Bundle.open(copy).manifest.source.kind == source["kind"]
    return copy


def test_a_hub_checkpoint_is_not_downloaded_unasked(
    invoke: Invoke, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(hub: Hub, file: str) -> None:
        asked.append(file)

    monkeypatch.setattr(Hub, "_download", download)
    source = {"kind": "hub", "name": "owner/name", "revision": "0" * 40}
    bundle = moved(exported("question-answering"), tmp_path, **source)
    quick = ("--shapes", "1x8", "--repeats", "1", "--loads", "1", "-q", "--cache-dir", tmp_path / "cache")
    result = invoke("bench", bundle, *quick)
    assert result.exit_code == 0, result.stderr
    note = result.stdout.splitlines()[-1]
    assert note.startswith(
        "note: no error of qa: without network, a hub checkpoint must be in the cache; received owner"
    )
    assert note.endswith("; only --model owner/name downloads it")
    assert asked == []


def test_without_memory_for_the_oracle_the_other_figures_are_told(
    invoke: Invoke, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    def oracle(*_: object, **__: object) -> None:
        raise MemoryError("9 GB")

    monkeypatch.setattr("albert_export.parity.oracle.Oracle", oracle)
    quick = ("--shapes", "1x8", "--repeats", "1", "--loads", "1", "-q")
    result = invoke("bench", exported("question-answering"), *quick)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[1].split()[-3:] == ["-", "-", "1.00"]
    assert result.stdout.splitlines()[-1] == "note: no error of question-answering: MemoryError: 9 GB"


def test_the_files_are_written_though_nobody_reads_the_tables(spawn: Spawn, exported: Exported, tmp_path: Path) -> None:
    quick = ("--shapes", "1x8", "--repeats", "1", "--loads", "1", "-q", "--no-error")
    outputs = ("--save", tmp_path / "bench.json", "--plot", tmp_path / "bench.svg")
    process = spawn("bench", exported("question-answering"), *quick, *outputs)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    process.communicate(timeout=100)
    assert process.returncode == 141
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["baseline"] == "onnx/model.onnx"
    assert (tmp_path / "bench.svg").stat().st_size > 1000


SMALL = ("--shapes", "1x8,2x12p", "--repeats", "2", "--loads", "1", "--threads", "1", "--json", "-q")


@pytest.mark.parametrize(
    "target",
    [
        "onnx",
        "stablehlo",
        pytest.param("savedmodel", marks=pytest.mark.slow),
        pytest.param("tflite", marks=pytest.mark.slow),
    ],
)
def test_artifacts_of_every_target_are_measured(invoke: Invoke, exported: Exported, target: str) -> None:
    result = invoke("bench", exported("question-answering", target), *SMALL)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    (fields,) = document["artifacts"]
    assert (fields["target"], set(fields["latency"])) == (target, {"1x8", "2x12p"})
    assert max(fields["error"]["largest"].values()) < 1e-4
    if get_target(target).own_runtime.takes_threads:
        assert (fields["threads"], document["notes"]) == (1, [])
    else:
        assert fields["threads"] is None
        told = f"{fields['name']} runs with threads of its own choice: jax takes no number of threads"
        assert document["notes"] == [told]


def test_two_artifacts_of_a_bundle_of_multiple_choice_are_measured(
    invoke: Invoke, exported: Exported, tmp_path: Path
) -> None:
    from albert_export.exporting import export

    bundle = Path(shutil.copytree(exported("multiple-choice"), tmp_path / "choice"))
    export("onnx", model="albert-seeded", task="multiple-choice", out=bundle, precision="int8", parity=False)
    result = invoke("bench", bundle, *SMALL)
    assert result.exit_code == 0, result.stderr
    exact, coarse = json.loads(result.stdout)["artifacts"]
    assert (exact["precision"], coarse["precision"]) == ("fp32", "int8")
    assert exact["file_bytes"] > coarse["file_bytes"]
    assert 0 < max(exact["error"]["largest"].values()) < max(coarse["error"]["largest"].values())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--file", "onnx/model_int8.onnx"],
            "file must be one of onnx/model.onnx; received onnx/model_int8.onnx; fix:",
        ),
        (["--targets", "onnxx"], "target must be one of onnx, "),
        (["--targets", "onnx,tflite", "--precisions", "fp8"], "precision must be one of fp32, "),
        (["--precisions", "int8"], "the bundle "),
        (["--baseline", "onnx/other.onnx"], "baseline must be one of onnx/model.onnx; received onnx/other.onnx; fix:"),
        (
            ["--shapes", "8by128"],
            "a shape must be BxS, or BxSp for rows of which half is padding; received 8by128; fix:",
        ),
        (["--shapes", ","], "at least one shape must be given; received ,; fix:"),
        (
            ["--shapes", "1x513"],
            "a sequence must have at most max_position_embeddings = 512 tokens; received 1x513; fix:",
        ),
        (["--plot", "bench.gif"], "a picture must be one of .png, .svg, .pdf; received bench.gif; fix:"),
        (["--plot", "no/such/bench.png"], "an output must lie in a directory; received no/such/bench.png; fix: make"),
        (["--save", "."], "an output must be a file; received a directory: .; fix:"),
        (["--device", "abacus"], "onnx/model.onnx: "),
        (["--threads", "100000"], "threads must be a whole number from 1 to "),
        (["--repeats", "0"], "invalid value for '--repeats': 0 is not in the range x>=1"),
        (
            ["--no-error", "--model", "albert-seeded"],
            "--model says what errors are measured against; received --no-error; fix: leave one out",
        ),
        (["--no-error", "--revision", "main"], "--revision says what errors are measured against"),
        (["--no-error", "--cache-dir", "here"], "--cache-dir says what errors are measured against"),
        (["--no-error", "--offline"], "--offline says what errors are measured against"),
    ],
)
def test_bad_input_is_one_line(
    invoke: Invoke, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("bench", exported("question-answering"), "--quiet", "--repeats", "1", "--loads", "1", *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert error_line(result.stderr).startswith(line)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_no_bundle_or_comes_twice_is_refused(
    invoke: Invoke, exported: Exported, tmp_path: Path
) -> None:
    assert error_line(invoke("bench", tmp_path).stderr).startswith("a bundle must be a directory with a manifest.json")
    bundle = exported("question-answering")
    twice = invoke("bench", bundle, f"{bundle}/")
    assert error_line(twice.stderr).startswith("a bundle must be named once")
    assert error_line(invoke("bench").stderr).startswith("missing argument 'DIR...'")


def test_an_artifact_of_fixed_sizes_is_timed_at_no_other(invoke: Invoke, exported: Exported, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(exported("question-answering"), tmp_path / "qa"))
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["artifacts"][0]["shapes"] = {"batch": 1, "sequence": 16}
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = invoke("bench", bundle, "--shapes", "1x8,2x16")
    assert result.exit_code == 2
    told = error_line(result.stderr)
    assert told.startswith(
        "a shape must be one that an artifact takes; received 1x8, 2x16; onnx/model.onnx is not timed"
    )
    assert "it takes only batch 1, sequence 16" in told


def test_the_baseline_is_one_that_is_timed(invoke: Invoke, exported: Exported, tmp_path: Path) -> None:
    for name in ("fixed", "free"):
        shutil.copytree(exported("question-answering"), tmp_path / name)
    manifest = json.loads((tmp_path / "fixed/manifest.json").read_text(encoding="utf-8"))
    manifest["artifacts"][0]["shapes"] = {"batch": 1, "sequence": 16}
    (tmp_path / "fixed/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    quick = ("--shapes", "1x8", "--repeats", "1", "--loads", "1", "--no-error", "--json", "-q")
    result = invoke("bench", tmp_path / "fixed", tmp_path / "free", *quick)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["baseline"] == (tmp_path / "free/onnx/model.onnx").as_posix()
    fixed = (tmp_path / "fixed/onnx/model.onnx").as_posix()
    refused = invoke("bench", tmp_path / "fixed", tmp_path / "free", *quick, "--baseline", fixed)
    assert error_line(refused.stderr).startswith(
        f"a baseline must take one of the shapes; received {fixed}; fix: name "
    )


def test_names_are_separated_by_commas() -> None:
    assert names_in(" onnx, tflite,,") == ("onnx", "tflite")
    assert names_in("") == ()
