"""``run``: text in, answers out; for one text from the command line, or for a file of JSON lines."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from albert_export.cli.options import DIRECTORY, Command, json_option, quiet_option, runtime_options
from albert_export.cli.output import print_json, print_json_line, print_result
from albert_export.errors import InputError

if TYPE_CHECKING:
    from albert_export.pipelines import Pipeline

#: Field of a request -> the option that gives it.
_FIELD_OPTIONS = {
    "question": "--question",
    "context": "--context",
    "text": "--text",
    "text_pair": "--text-pair",
    "prompt": "--prompt",
    "choices": "--choice",
}


@click.command(
    "run",
    cls=Command,
    short_help="Answer a question, label a text, fill a mask …",
    examples=(
        'albert-export run qa/ --question "Who?" --context "$(cat notes.txt)" --top-k 3',
        'albert-export run qa/ --question "Who?" --context "…" -o handle_impossible_answer=true -o doc_stride=64',
        'albert-export run ner/ --text "Ada Lovelace lived in London." --json',
        'albert-export run mlm/ --text "Paris is the [MASK] of France."',
        'albert-export run choice/ --prompt "It rained, so" --choice "she took a coat." --choice "the sun was out."',
        "albert-export run qa/ --input questions.jsonl --output answers.jsonl",
        'albert-export run qa/ --precision bf16 --runtime openvino --question "Who?" --context "…"',
        "albert-export run qa/ --input - < questions.jsonl | jq .result.text",
    ),
)
@click.argument("bundle", metavar="DIR", type=DIRECTORY)
@click.option("--question", help="Question (question-answering).")
@click.option("--context", help="Text that may hold the answer (question-answering).")
@click.option("--text", help="Text (all other heads but multiple-choice).")
@click.option("--text-pair", help="Second text of a pair.")
@click.option("--prompt", help="What the choices continue (multiple-choice).")
@click.option("--choice", "choices", multiple=True, help="One choice; give two or more (multiple-choice).")
@click.option("--top-k", type=click.IntRange(min=1), help="How many answers, labels or words.")
@click.option(
    "-o",
    "--option",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Further option of the head, its value as JSON or plain text; an unknown NAME is answered with all of them.",
)
@click.option(
    "--input",
    "source",
    metavar="FILE.jsonl",
    help='Answer every line, a JSON object such as {"question": …, "context": …}, in their order; each '
    'answer has the number of its "line", and the "id" of its object where there is one. - for stdin.',
)
@click.option(
    "--output",
    "destination",
    type=DIRECTORY,
    metavar="FILE.jsonl",
    help="Where the answers to --input go, one line each; it appears when it is complete. stdout by default.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Texts in one run.")
@runtime_options
@click.option(
    "--device-memory",
    metavar="BYTES",
    help="The most memory of an NVIDIA GPU to take, e.g. 4G; all that is free by default.",
)
@json_option("the answer")
@quiet_option()
def run_command(
    bundle: Path,
    top_k: int | None,
    settings: tuple[str, ...],
    source: str | None,
    destination: Path | None,
    batch_size: int,
    target: str | None,
    precision: str | None,
    file: str | None,
    device: str,
    threads: int | None,
    runtime: str | None,
    device_memory: str | None,
    as_json: bool,
    quiet: bool,
    **texts: Any,
) -> None:
    """Run the bundle DIR on text: on the texts given as options, or on each line of a file.

    Which texts a bundle takes depends on its head; `albert-export inspect DIR` names it.
    """
    from albert_export.pipelines import pipeline, to_json

    record = {field: value for field, value in texts.items() if value not in (None, ())}
    _check_ways(record, source, destination)
    options = {**_parse_settings(settings), **({} if top_k is None else {"top_k": top_k})}
    chosen = {"target": target, "precision": precision, "file": file}
    with pipeline(
        bundle, **chosen, device=device, threads=threads, runtime=runtime, device_memory=device_memory
    ) as answer:
        if source is not None:
            _run_lines(answer, source, destination, batch_size=batch_size, quiet=quiet, options=options)
        else:
            _check_fields(answer, record)
            (result,) = answer.run([answer.request(record)], answer.options(**options), batch_size=batch_size)
            show = print_json if as_json else print_result
            show(to_json(result))
    if not quiet:
        _tell_untrained(bundle, file)


def _check_ways(record: dict[str, Any], source: str | None, destination: Path | None) -> None:
    if record and source is not None:
        raise InputError(
            "texts come from options or from --input, which cannot go together",
            received=f"{_told(record)} and --input",
            fix=f"leave out {_told(record)}, or --input",
        )
    if destination is not None and source is None:
        raise InputError(
            "--output needs --input",
            received="--output alone",
            fix="add --input FILE.jsonl, or redirect the output of --json",
        )


def _check_fields(answer: Pipeline[Any, Any, Any, Any], record: dict[str, Any]) -> None:
    """Check the given texts before the head's own check, which speaks of keys of a record and not of options."""
    fields = dataclasses.fields(answer.request_class)
    needed = [field.name for field in fields if field.default is dataclasses.MISSING]
    if set(record) <= {field.name for field in fields} and set(needed) <= set(record):
        return
    received = f"received {_told(record)}" if record else "received none of them"
    raise click.UsageError(f"a bundle for {answer.task} takes {_told(needed)}, or --input; {received}")


def _told(fields: Any) -> str:
    return " and ".join(_FIELD_OPTIONS[field] for field in fields)


def _parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    parsed = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"--option must be NAME=VALUE; received {setting!r}")
        try:
            parsed[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:  # no JSON: plain text
            parsed[name.strip().replace("-", "_")] = value
    return parsed


def _tell_untrained(bundle: Path, file: str | None) -> None:
    from albert_export.builtin import BUILTIN_MODELS, UNTRAINED_NOTICE
    from albert_export.bundle import Bundle
    from albert_export.inspection import random_weights_notice

    manifest = Bundle.open(bundle, verify=False).manifest
    source = manifest.source
    if source.kind == "builtin" and source.name in BUILTIN_MODELS and not BUILTIN_MODELS[source.name].trained:
        click.echo(f"note: {UNTRAINED_NOTICE}", err=True)
    random = {
        name
        for artifact in manifest.artifacts
        if file in (None, artifact.file)
        for name in artifact.facts.get("fresh_weights") or ()
    }
    if random:
        click.echo(f"note: {random_weights_notice(sorted(random))}", err=True)


def _stdin() -> IO[str]:
    if sys.stdin is None:
        raise InputError("--input - reads stdin", received="a stdin that is closed", fix="name a file, or pipe one in")
    return click.open_file("-", encoding="utf-8-sig")


def _run_lines(
    answer: Pipeline[Any, Any, Any, Any],
    source: str,
    destination: Path | None,
    *,
    batch_size: int,
    quiet: bool,
    options: dict[str, Any],
) -> None:
    from albert_export.pipelines import open_lines, run_file, run_lines

    given: Any = _stdin() if source == "-" else source
    if destination is None:
        with open_lines(given) as lines:
            for result in run_lines(answer, lines, batch_size=batch_size, **options):
                print_json_line(result)
        return
    hidden = quiet or not sys.stderr.isatty()
    with click.progressbar(length=0, label="answering", file=sys.stderr, hidden=hidden, show_pos=True) as bar:

        def advance(done: int, total: int | None) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        count = run_file(answer, given, destination, batch_size=batch_size, progress=advance, **options)
    if not quiet:
        click.echo(f"answered {count} lines into {destination}", err=True)
