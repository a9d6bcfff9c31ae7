"""What the pages promise: their links lead somewhere, and the README's examples run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest

from albert_export.cli import program
from tests.cli.conftest import Invoke
from tests.cli.conftest import invoke as invoke  # a fixture
from tests.conftest import Exported
from tests.packaging.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
        if not target.startswith(("https://", "http://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_example_for_an_app_runs(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks("python")
    shutil.copytree(exported("question-answering"), tmp_path / "qa")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    answer, shape = capsys.readouterr().out.splitlines()
    assert answer.split()[0] in "Ada Lovelace wrote the notes."
    assert shape == "(1, 4)"


def commands() -> list[list[str]]:
    """Every call of albert-export in the README, shell and CI alike, as arguments."""
    lines = "".join(blocks("sh") + blocks("yaml")).splitlines()
    calls = [line.removeprefix("- run: ").partition("   #")[0] for line in lines]
    return [shlex.split(call)[1:] for call in calls if call.startswith("albert-export ")]


def test_the_readme_shows_the_commands() -> None:
    assert {call[0] for call in commands()} == {"onnx", "tflite", "run", "inspect", "bench", "parity"}


@pytest.mark.parametrize("call", commands(), ids=" ".join)
def test_the_commands_of_the_readme_parse(call: list[str]) -> None:
    command = program.commands[call[0]]
    command.make_context(call[0], call[1:])  # raises on an option or value that does not exist


@pytest.mark.parametrize("call", [call for call in commands() if call[0] in ("run", "inspect")], ids=" ".join)
def test_the_commands_that_need_no_checkpoint_run(
    invoke: Invoke, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: list[str]
) -> None:
    shutil.copytree(exported("question-answering"), tmp_path / "qa")
    monkeypatch.chdir(tmp_path)
    result = invoke(*call)
    assert result.exit_code == 0, result.stderr


def demo_of_the_readme() -> tuple[str, dict[str, str]]:
    """The paragraph that `make demo` asks about, and question -> answer."""
    paragraph = " ".join(line.removeprefix("> ") for line in README.splitlines() if line.startswith("> "))
    return paragraph, dict(re.findall(r"^\| ([^|]+\?) \| ([^|]+) \|$", README, re.MULTILINE))


def test_the_readme_shows_the_demo() -> None:
    paragraph, answers = demo_of_the_readme()
    assert [paragraph, *answers] == (ROOT / "docs" / "demo.txt").read_text(encoding="utf-8").splitlines()
    assert len(answers) == 6
    assert [answer for answer in answers.values() if answer not in paragraph] == []


def test_the_demo_has_names_that_the_model_was_not_trained_on() -> None:
    from tools.mini.worlds.names import is_held_out

    paragraph = (ROOT / "docs" / "demo.txt").read_text(encoding="utf-8").partition("\n")[0]
    names = {name for sentence in paragraph.split(". ") for name in re.findall(r"(?:[A-Z]\w+ ?)+", sentence)}
    parts = {"Sabine Ashfield": ("Sabine", "Ashfield"), "Lucas Harper": ("Lucas", "Harper")}
    single = {part for name in map(str.strip, names) for part in parts.get(name, (name,))} - {"She", "May"}
    assert len(single) == 10
    assert {name for name in single if not is_held_out(name)} == set()


def test_the_table_of_extras_is_that_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = [
        name for row in re.findall(r"^\|((?: `\w+`,?)+) \|", README, re.MULTILINE) for name in re.findall(r"\w+", row)
    ]
    assert sorted(named) == sorted(set(extras) - {"dev"})


def test_every_extra_that_an_error_names_is_one_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    sources = [path for folder in ("albert_export", "graphs", "runtimes") for path in (ROOT / folder).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r'_?extra="(\w+)"', path.read_text(encoding="utf-8"))}
    assert {"onnx", "onnxruntime", "jax"} <= named <= set(extras)
