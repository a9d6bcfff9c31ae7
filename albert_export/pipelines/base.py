"""What the pipelines of all heads share: encode each text, run the windows in batches, finish each result."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from albert_export.errors import BundleError, InputError
from albert_export.pipelines.checks import check_count, own_defaults, read_options, read_request
from albert_export.pipelines.encoding import Encoded, Ids, Window, batches, collate
from albert_export.runtimes.protocol import Array, Runtime

if TYPE_CHECKING:
    from albert_export.pipelines.encoding import Tokenizer

_log = logging.getLogger("albert_export.pipelines")

#: Rows that one run takes unless told otherwise.
BATCH_SIZE = 8

RequestT = TypeVar("RequestT")
OptionsT = TypeVar("OptionsT")
ResultT = TypeVar("ResultT")
#: What is kept of one window's outputs until all windows of its text have run.
KeptT = TypeVar("KeptT")


@dataclass(frozen=True)
class Job(Generic[RequestT, OptionsT]):
    """One request and the windows it became."""

    request: RequestT
    options: OptionsT
    windows: list[Window]

    @property
    def encoded(self) -> Encoded:
        """The whole text; of several that are encoded apart, the first."""
        return self.windows[0].encoded

    @property
    def cut(self) -> bool:
        """Whether something had to be left out."""
        return any(window.encoded.cut for window in self.windows)


class Pipeline(ABC, Generic[RequestT, OptionsT, KeptT, ResultT]):
    """Text in, answers out, for one head. A context manager; safe to call from several threads.

    A text gives the same result alone and in a list, up to the last bits that the shape of a batch changes.

    Attributes:
        runtime: What computes the outputs.
        tokenizer: Tokenizer of the bundle.
        max_length: Most tokens of one run: ``max_position_embeddings``, or less where tokenizer or artifact say so.
    """

    #: Name of the head in the table of tasks.
    task: ClassVar[str]
    #: Dataclass of what one call is about; its fields are the keys of a JSON record.
    request_class: ClassVar[type[Any]]
    #: Dataclass of the keyword options of a call.
    options_class: ClassVar[type[Any]]

    def __init__(self, runtime: Runtime, tokenizer: Tokenizer) -> None:
        self.runtime = runtime
        self.tokenizer = tokenizer
        fixed = runtime.sizes.get("sequence")
        self.max_length = fixed or min(runtime.longest, tokenizer.model_max_length)
        pad = tokenizer.pad_token_id
        self._pad_id = int(pad if pad is not None else runtime.config.pad_token_id or 0)
        if not 0 <= self._pad_id < runtime.config.vocab_size:
            raise BundleError(
                f"the id of padding must be from 0 to vocab_size - 1 = {runtime.config.vocab_size - 1}",
                received=self._pad_id,
                fix="export the bundle again, with the tokenizer that belongs to the checkpoint",
            )
        # What a call itself names, such as how many answers, is also what its result is made of: no model's to choose.
        named = signature(type(self).__call__).parameters
        self._defaults = own_defaults(runtime.config, self.task, self.options_class, excluded=named)
        # Tokenizers keep their padding and truncation settings as state.
        self._tokenizing = threading.Lock()

    # ---- what a head defines -------------------------------------------------------------------------------------

    @abstractmethod
    def _encode(self, request: RequestT, options: OptionsT) -> list[Window]:
        """Turn a request into at least one window."""

    @abstractmethod
    def _keep(self, job: Job[RequestT, OptionsT], window: Window, outputs: dict[str, Array]) -> KeptT:
        """Take from one window's outputs, without padding, what :meth:`_finish` needs; views must be copied."""

    @abstractmethod
    def _finish(self, job: Job[RequestT, OptionsT], kept: list[KeptT]) -> ResultT:
        """Make the result from what was kept of each window."""

    # ---- calls ---------------------------------------------------------------------------------------------------

    def request(self, record: Mapping[str, Any]) -> RequestT:
        """Make a request from a record with named texts.

        Raises:
            InputError: A key is missing, or a value breaks its rule.
        """
        request: RequestT = read_request(self.request_class, record)
        return request

    def options(self, **options: Any) -> OptionsT:
        """Make the options of a call.

        What is left out is what the model's configuration says of the task in ``task_specific_params``, or the head's
        default; what :meth:`__call__` has a parameter for is the head's in any case.

        Raises:
            InputError: An option is unknown, or its value breaks its rule.
        """
        made: OptionsT = read_options(self.options_class, {**self._defaults, **options})
        return made

    def prepare(self, request: RequestT, options: OptionsT) -> Job[RequestT, OptionsT]:
        """Encode one request, so that what is wrong with it shows before anything runs.

        Raises:
            InputError: The texts cannot be encoded for this head.
        """
        with self._tokenizing:
            return Job(request, options, self._encode(request, options))

    def run(
        self, requests: Iterable[RequestT], options: OptionsT | None = None, *, batch_size: int = BATCH_SIZE
    ) -> list[ResultT]:
        """Answer several requests.

        Args:
            requests: Requests of this head.
            options: Options of this head; its defaults when left out.
            batch_size: Rows of one run. A long text is several rows.

        Returns:
            One result a request, in their order.

        Raises:
            InputError: A request or an option breaks its rule.
        """
        settled: OptionsT = self.options() if options is None else options
        jobs = [self.prepare(request, settled) for request in requests]
        report_cut(sum(job.cut for job in jobs), len(jobs), self.max_length)
        return self.finish(jobs, batch_size=batch_size)

    def _call(self, first: object, second: object, options: OptionsT, batch_size: int) -> Any:
        """Answer a call's positional arguments: one result for a text or record, a list for a list."""
        names = tuple(field.name for field in fields(self.request_class))
        records, single = records_of(first, second, names)
        results = self.run([self.request(record) for record in records], options, batch_size=batch_size)
        return results[0] if single else results

    def finish(self, jobs: Sequence[Job[RequestT, OptionsT]], *, batch_size: int = BATCH_SIZE) -> list[ResultT]:
        """Run what :meth:`prepare` made; arguments and result as for :meth:`run`."""
        check_count("batch_size", batch_size)
        rows = [(job, window) for job in jobs for window in job.windows]
        kept: dict[int, KeptT] = {}
        for indices in batches([window for _, window in rows], self._rows(batch_size)):
            batch = [rows[index] for index in indices]
            outputs = self._outputs([window for _, window in batch])
            for index, (job, window), own in zip(indices, batch, outputs, strict=True):
                kept[index] = self._keep(job, window, own)
        results, first = [], 0
        for job in jobs:
            results.append(self._finish(job, [kept[first + index] for index in range(len(job.windows))]))
            first += len(job.windows)
        return results

    # ---- running -------------------------------------------------------------------------------------------------

    def _rows(self, batch_size: int) -> int:
        """Windows that one run takes."""
        most = self.runtime.most_rows
        return self.runtime.sizes.get("batch") or (batch_size if most is None else min(batch_size, most))

    def _inputs(self, windows: Sequence[Window]) -> dict[str, Ids]:
        """Return the inputs of one batch; its first rows are those of the windows."""
        sizes = self.runtime.sizes
        return collate(windows, pad_id=self._pad_id, rows=sizes.get("batch"), length=sizes.get("sequence"))

    def _outputs(self, windows: Sequence[Window]) -> Iterable[dict[str, Array]]:
        """Run one batch; return the outputs of each row, cut to its tokens."""
        outputs = self.runtime.run(**self._inputs(windows))
        sequences = {spec.name for spec in self.runtime.outputs if spec.axes[1:2] == ("sequence",)}
        for row, window in enumerate(windows):
            yield {
                name: array[row, : len(window)] if name in sequences else array[row] for name, array in outputs.items()
            }

    # ---- lifecycle -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the runtime."""
        self.runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self.runtime.device}>"


def report_cut(cut: int, total: int, max_length: int) -> None:
    """Say in the log how many texts did not fit."""
    if cut:
        _log.warning("%d of %d texts had more than %d tokens and were cut", cut, total, max_length)


def records_of(first: object, second: object, names: tuple[str, ...]) -> tuple[list[Mapping[str, Any]], bool]:
    """Make records of the positional arguments of a call.

    Args:
        first: A text, a record, or a list of either.
        second: A second text for it, one for each, or None.
        names: The keys of a record: one, or two where there is a second text.

    Returns:
        The records, and whether the call is about one alone.

    Raises:
        InputError: Two lists of different lengths, or a second text beside records.
    """
    many = _is_many(first)
    items: list[Any] = list(first) if many else [first]  # type: ignore[call-overload]  # iterable, by the check
    if any(isinstance(item, Mapping) for item in items):
        if second is not None:
            raise InputError(
                f"records hold their own {names[-1]}", received=f"records and a {names[-1]}", fix="give records alone"
            )
        return items, not many
    if len(names) == 1:
        return [{names[0]: item} for item in items], not many
    if not _is_many(second):
        return [{names[0]: item, names[1]: second} for item in items], not many
    seconds: list[Any] = list(second)  # type: ignore[call-overload]  # iterable, by the check
    if not many:
        items *= len(seconds)
    if len(items) != len(seconds):
        raise InputError(
            f"{names[0]} and {names[1]} must be lists of one length", received=f"{len(items)} and {len(seconds)}"
        )
    return [{names[0]: item, names[1]: other} for item, other in zip(items, seconds, strict=True)], False


def _is_many(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def copied(array: Array) -> Array:
    """Copy a view, so that the batch it looks into can go.

    Raises:
        BundleError: It holds what is no number: every answer made of it would be wrong.
    """
    if not np.isfinite(array).all():
        raise BundleError(
            "an artifact must compute finite numbers", received="nan or inf", fix="albert-export parity shows where"
        )
    return np.array(array)
