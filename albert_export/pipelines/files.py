"""JSON lines in, JSON lines out."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from albert_export.errors import InputError
from albert_export.pipelines.base import BATCH_SIZE, Pipeline, report_cut
from albert_export.pipelines.checks import check_count

#: Batches that are read ahead, so that texts of like length can share one.
_AHEAD = 4

#: Called with the number of inputs that are done, and of all there are, or None where that is not known.
Progress = Callable[[int, int | None], None]


def to_json(result: Any) -> Any:
    """Return a pipeline's result, or lists of results, as plain JSON values."""
    return [to_json(item) for item in result] if isinstance(result, list) else result.to_dict()


def run_lines(
    pipeline: Pipeline[Any, Any, Any, Any], lines: Iterable[str], *, batch_size: int = BATCH_SIZE, **options: Any
) -> Iterator[dict[str, Any]]:
    r"""Answer JSON lines one after the other, reading no further ahead than a few batches.

    Args:
        pipeline: Any pipeline.
        lines: Lines with one JSON object each, whose keys are the fields of the pipeline's requests (for question
            answering ``{"question": "…", "context": "…"}``). Other keys are left alone; blank lines are skipped.
        batch_size: Rows in one run of the model.
        **options: Options of the pipeline's calls.

    Yields:
        For each input, in their order, ``{"line": …, "result": …}``, after the input's ``"id"`` where it has one;
        ``line`` is the number of the input's line, counted from 1, blank ones included.

    Raises:
        InputError: A line is no JSON object, a key is missing, or a value or option breaks its rule; the message
            names the line, counted from 1.
    """
    check_count("batch_size", batch_size)
    settled = pipeline.options(**options)
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    cut = total = 0
    while batch := list(islice(numbered, batch_size * _AHEAD)):
        jobs, ids = [], []
        for number, line in batch:
            record = _parse(number, line)
            try:
                jobs.append(pipeline.prepare(pipeline.request(record), settled))
            except InputError as error:
                raise _at(number, error) from error
            ids.append({**({"id": record["id"]} if "id" in record else {}), "line": number})
        for own, result in zip(ids, pipeline.finish(jobs, batch_size=batch_size), strict=True):
            yield {**own, "result": to_json(result)}
        cut, total = cut + sum(job.cut for job in jobs), total + len(jobs)
    report_cut(cut, total, pipeline.max_length)


def run_file(
    pipeline: Pipeline[Any, Any, Any, Any],
    input_jsonl: str | os.PathLike[str] | Iterable[str],
    output_jsonl: str | os.PathLike[str],
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
    **options: Any,
) -> int:
    """Answer a file of JSON lines; lines and options as for :func:`run_lines`.

    The output appears only when it is complete: after an error, or Ctrl-C, what was there before is still there.

    Args:
        pipeline: Any pipeline.
        input_jsonl: A file in UTF-8, or lines such as those of an open one.
        output_jsonl: The file to write, in UTF-8; not the input.
        batch_size: Rows in one run of the model.
        progress: Called after each input with the number done and of all.
        **options: Options of the pipeline's calls.

    Returns:
        The number of inputs answered.

    Raises:
        InputError: See :func:`run_lines`; or a file cannot be read or written.
    """
    target, total = Path(output_jsonl), None
    if isinstance(input_jsonl, str | os.PathLike):
        source = Path(input_jsonl)
        total = _count(source)
        if target.exists() and target.samefile(source):
            raise InputError("the output must be another file than the input", received=str(target), fix="name another")
    done = 0
    with open_lines(input_jsonl) as lines, _replacing(target) as out:
        for answer in run_lines(pipeline, lines, batch_size=batch_size, **options):
            with _told(target):
                out.write(json.dumps(answer, ensure_ascii=False) + "\n")
            done += 1
            if progress is not None:
                progress(done, total)
    return done


@contextlib.contextmanager
def open_lines(source: str | os.PathLike[str] | Iterable[str]) -> Iterator[Iterable[str]]:
    """Open a file of lines in UTF-8; lines that are open already are handed on, and stay open.

    Raises:
        InputError: The file cannot be opened; or, from inside the block, what is read is no UTF-8.
    """
    with contextlib.ExitStack() as resources:
        if isinstance(source, str | os.PathLike):
            name = os.fspath(source)
            try:
                lines: Iterable[str] = resources.enter_context(Path(name).open(encoding="utf-8-sig"))
            except OSError as error:
                raise _unreadable(name, error) from error
        else:
            name, lines = getattr(source, "name", "lines"), source
        try:
            yield lines
        except UnicodeDecodeError as error:
            raise InputError("the input must be text in UTF-8", received=f"{name}: {error}") from error


def _unreadable(name: object, error: OSError) -> InputError:
    return InputError(
        "the input must be a file that can be read", received=f"{name}: {error.strerror}", fix="check the path"
    )


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _parse(number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of more digits than Python reads
        raise InputError(f"line {number} must be a JSON object", received=f"{line.strip()[:60]!a} ({error})") from None
    if not isinstance(record, dict):
        raise InputError(f"line {number} must be a JSON object", received=ascii(line.strip()[:60]))
    return record


def _at(number: int, error: InputError) -> InputError:
    return InputError(f"line {number}: {error.rule}", received=error.received, fix=error.fix)


def _count(source: Path) -> int | None:
    """Count the lines that are not blank; finds out at the start whether the file can be read, and is text."""
    try:
        if source.exists() and not source.is_file() and not source.is_dir():
            return None  # a pipe can be read but once
    except OSError as error:
        raise _unreadable(source, error) from error
    with open_lines(source) as lines:
        return sum(1 for line in lines if line.strip())


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[IO[str]]:
    """Open a file beside ``target`` that takes its place when the block ends well, and goes away when not."""
    direct = target.exists() and not target.is_file() and not target.is_dir()  # a device or a pipe
    part = target if direct else target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with _told(target):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # An "id" that is handed on may hold half of a surrogate pair, which UTF-8 lacks: it is escaped as in JSON.
        out = part.open("w" if direct else "x", encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        try:
            yield out
        except BaseException:
            with contextlib.suppress(OSError):  # what is buffered goes the way of what failed
                out.close()
            raise
        with _told(target), out:
            out.flush()
            if not direct:
                os.fsync(out.fileno())
        if not direct:
            with _told(target):
                part.replace(target)
    finally:
        if not direct:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            "the output must be a file that can be written",
            received=f"{target}: {error.strerror}",
            fix="name a file in a directory that exists, with room for it",
        ) from error
