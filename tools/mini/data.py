"""The training set: generated, encoded and stored in shards by two processes, ready before training begins."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tools.mini.encoding import TASKS, TEXT_LABELS, Rows, encode_items, texts_of
from tools.mini.worlds.names import listed_and_held_out

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast

WRITTEN = Path(__file__).resolve().parents[1] / "vocabulary_text"

#: (task, length of the texts; None for the usual one) -> how many items.
Counts: TypeAlias = Mapping[tuple[str, str | None], int]
#: The same -> the part of the training over which its items are spread, such as (0, 0.5) for the first half.
Spells: TypeAlias = Mapping[tuple[str, str | None], tuple[float, float]]

#: Items of one shard; each shard has its own seed.
SHARD = 5000
PROCESSES = 2
#: Texts that are drawn for each short one to classify, at most.
MOST_DRAWN = 20
_WORD = re.compile(r"[a-z]+")
_NEGATION = re.compile(r"\b(not|never|no|nothing|less|neither|but|far from)\b", re.IGNORECASE)


@cache
def tokenizer_in(directory: Path) -> AlbertTokenizerFast:
    """Return the tokenizer whose files lie in a directory."""
    from albert_export.tokenization import AlbertTokenizerFast

    return AlbertTokenizerFast(vocab_file=directory / "spiece.model", tokenizer_file=directory / "tokenizer.json")


def items_of(task: str, split: str, count: int, seed: int, **options: Any) -> Iterator[Mapping[str, Any]]:
    """Yield generated items of a task; of ``words``, records of plain paragraphs.

    Short texts to classify are those without negation and turn. Among all texts a word of feeling stands as often for
    its feeling as against it, and a model learns neither the words nor what turns them: it has to know the words first.
    """
    from tools.mini import worlds

    if task == "words":
        paragraphs = ({"text": text} for text in worlds.sentences(split, count, seed, **options))
        return paragraphs if split != "train" else _with_written(paragraphs, seed)
    if task == "text-classification" and options.get("length") == "short":
        return _balanced(filter(_says_it_plainly, worlds.generate(task, split, MOST_DRAWN * count, seed)), count)
    return iter(worlds.generate(task, split, count, seed, **options))


def _balanced(items: Iterator[Mapping[str, Any]], count: int) -> Iterator[Mapping[str, Any]]:
    """Yield ``count`` items, as many of each label: more than half of what is said plainly is neutral."""
    most = -(-count // len(TEXT_LABELS))
    taken: Counter[str] = Counter()
    for item in items:
        if taken[item["label"]] < most:
            taken[item["label"]] += 1
            yield item
        if taken.total() == count:
            return


def _says_it_plainly(item: Mapping[str, Any]) -> bool:
    return item["pattern"].startswith(("feel.plain", "feel.add")) and not _NEGATION.search(item["text"])


def written() -> list[str]:
    """Return the English sentences written by hand for the built-in vocabulary that have no listed held-out name."""
    unused = listed_and_held_out()
    return [
        line
        for name in ("daily_life", "knowledge", "news_and_opinion", "questions")
        for line in (WRITTEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        if line and unused.isdisjoint(_WORD.findall(line.lower()))
    ]


def _with_written(paragraphs: Iterator[Mapping[str, Any]], seed: int) -> Iterator[Mapping[str, Any]]:
    """Put three neighbouring hand-written sentences in the place of every eighth paragraph."""
    lines = written()
    for number, paragraph in enumerate(paragraphs):
        first = Random(f"{seed}/{number}").randrange(len(lines) - 2)  # not for secrets
        yield paragraph if number % 8 else {"text": " ".join(lines[first : first + 3])}


def fingerprint(task: str, item: Mapping[str, Any]) -> int:
    """Return 64 bits of a hash of what the model reads of an item; case and spaces make no difference."""
    read = [" ".join(f"{text} | {pair or ''}".lower().split()) for text, pair in texts_of(task, item)]
    return int.from_bytes(hashlib.blake2b(json.dumps(read).encode(), digest_size=8).digest(), "little", signed=True)


Job: TypeAlias = tuple[str, int, int, str | None]


def jobs_of(counts: Counts, seed: int) -> list[Job]:
    """Return (task, items, seed, length) of every shard of a training set."""
    return [
        (task, min(SHARD, count - first), seed * 1_000_000 + first // SHARD, length)
        for (task, length), count in counts.items()
        for first in range(0, count, SHARD)
    ]


def _items_of_job(task: str, count: int, seed: int, length: str | None) -> list[Mapping[str, Any]]:
    return list(items_of(task, "train", count, seed, **({} if length is None else {"length": length})))


def _fingerprints_of_job(job: Job) -> npt.NDArray[np.int64]:
    return np.asarray([fingerprint(job[0], item) for item in _items_of_job(*job)], dtype=np.int64)


def training_fingerprints(counts: Counts, seed: int, processes: int = PROCESSES) -> set[int]:
    """Return the fingerprints of all items of a training set, which is generated anew.

    Args:
        counts: How many items of what.
        seed: As for :func:`make`.
        processes: How many generate them; 1 for this one.
    """
    jobs = jobs_of(counts, seed)
    if processes == 1:
        return set().union(*(map(int, _fingerprints_of_job(job)) for job in jobs))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return set().union(*(map(int, found) for found in pool.map(_fingerprints_of_job, jobs)))


def _path_of(directory: Path, task: str, count: int, seed: int, length: str | None) -> Path:
    return directory / f"{task}{'' if length is None else '-' + length}-{seed}x{count}.npz"


def shards(directory: Path, counts: Counts, seed: int) -> tuple[list[Path], int]:
    """Return the paths of all shards of a training set, and how many of them are not there yet."""
    paths = [_path_of(directory, *job) for job in jobs_of(counts, seed)]
    return paths, sum(not path.exists() for path in paths)


def _make_shard(directory: Path, vocabulary: Path, task: str, count: int, seed: int, length: str | None) -> Path:
    path = _path_of(directory, task, count, seed, length)
    if path.exists():
        return path
    items = _items_of_job(task, count, seed, length)
    rows = encode_items(tokenizer_in(vocabulary), task, items)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            ids=rows.ids,
            types=rows.types,
            tokens=rows.tokens,
            starts=rows.starts,
            labels=rows.labels,
            fingerprints=np.asarray([fingerprint(task, item) for item in items], dtype=np.int64),
        )
    unfinished.rename(path)
    return path


def stored_fingerprints(paths: Iterable[Path]) -> dict[str, set[int]]:
    """Return task -> fingerprints of all items in shards.

    Args:
        paths: Files of :func:`make`.
    """
    found: dict[str, set[int]] = {}
    for path in paths:
        with np.load(path) as stored:
            found.setdefault(_task_of(path), set()).update(stored["fingerprints"].tolist())
    return found


def source_hash() -> str:
    """Return a hash of what generates and encodes the texts: other code, other texts."""
    here = Path(__file__).resolve().parent
    return hash_of(
        *sorted((here / "worlds").glob("*.py")),
        here / "data.py",
        here / "encoding.py",
        here / "vocabulary.py",
        here.parent / "train_vocabulary.py",
        *sorted(WRITTEN.glob("*")),
    )


def hash_of(*files: Path) -> str:
    """Return eight hexadecimal digits of a hash of what files hold."""
    return hashlib.blake2b(b"\0".join(file.read_bytes() for file in files), digest_size=4).hexdigest()


def make(directory: Path, vocabulary: Path, counts: Counts, seed: int, processes: int = PROCESSES) -> list[Path]:
    """Make the shards that are not there yet; return the paths of all.

    Args:
        directory: Where they are stored.
        vocabulary: Directory of the tokenizer's files.
        counts: How many items of what.
        seed: The shards' seeds are derived from it.
        processes: How many make them; 1 for this one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    jobs = jobs_of(counts, seed)
    if processes == 1:
        return [_make_shard(directory, vocabulary, *job) for job in jobs]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(_make_shard, directory, vocabulary, *job) for job in jobs]]


def load(paths: list[Path], *, begin: float = 0.0, spells: Spells | None = None) -> list[Rows]:
    """Return the data sets of shards, one for each task and length that is there.

    Args:
        paths: Files of :func:`make`.
        begin: Part of the training at which the items begin to come ...
        spells: ... where these do not say from where to where.
    """
    parts: dict[tuple[str, str], list[Mapping[str, npt.NDArray[Any]]]] = {}
    for path in paths:
        task = _task_of(path)
        length = path.name.removeprefix(task).rpartition("-")[0].removeprefix("-")
        with np.load(path) as stored:
            shard = {name: stored[name] for name in stored.files}
        parts.setdefault((task, length), []).append(shard)
    return [
        _joined(task, shards, (spells or {}).get((task, length or None), (begin, 1.0)))
        for (task, length), shards in parts.items()
    ]


def _task_of(path: Path) -> str:
    return next(task for task in TASKS if path.name.startswith(task))


def _joined(task: str, shards: list[Mapping[str, npt.NDArray[Any]]], spell: tuple[float, float]) -> Rows:
    joined = {name: np.concatenate([shard[name] for shard in shards]) for name in ("ids", "types", "tokens", "labels")}
    starts = [np.zeros(1, np.int64)]
    for shard in shards:
        starts.append(shard["starts"][1:] + starts[-1][-1])
    return Rows(task, joined["ids"], joined["types"], joined["tokens"], np.concatenate(starts), joined["labels"], spell)
