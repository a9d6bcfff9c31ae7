"""Make albert-mini from nothing: vocabulary, training set, training, files, figures.

    python -m tools.mini                   # everything; the files go into the package
    python -m tools.mini --out DIR         # the files elsewhere

What is finished is found again in the work directory: a second run goes on after the last finished stage. The text is
the same everywhere; the weights are the same on one machine with one version of torch and one C++ compiler, and differ
in their bits, though not in what they can do, between machines.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.mini.stages import Stage

ROOT = Path(__file__).resolve().parents[2]
SEED = 11
#: Seed of the items that a model is looked at with while it is trained: not that of the held-out sets.
LOOK_SEED = 77
LOOKS = {"held_out": 100, "new_patterns": 100}


def parsed_counts(changes: list[str]) -> dict[tuple[str, str | None], int]:
    """Return changes such as ``words=100`` or ``question-answering:long=5`` as (task, length) -> items."""
    parsed = {}
    for change in changes:
        name, _, value = change.partition("=")
        task, _, length = name.partition(":")
        parsed[(task, length or None)] = int(value)
    return parsed


def trained(work: Path, run: Path, stages: Sequence[Stage], shape: Mapping[str, int]) -> Path:
    """Make vocabulary, training sets and weights where they are not there yet; return the file of the last weights."""
    import torch

    from tools.mini import data, vocabulary, words_read
    from tools.mini.eager import eager_pipeline
    from tools.mini.evaluation import FIGURE, figures
    from tools.mini.masking import Masker
    from tools.mini.model import MiniModel, mini_config
    from tools.mini.renaming import Renamer
    from tools.mini.stages import stage_directories
    from tools.mini.times import timed
    from tools.mini.train import save, train
    from tools.mini.words_read import WordsRead

    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)

    files = work / "vocabulary"
    if not files.exists():
        unfinished = work / "vocabulary.part"
        unfinished.mkdir(parents=True, exist_ok=True)
        with timed(unfinished / "seconds.json", "vocabulary"):
            vocabulary.write(unfinished, vocabulary.train(SEED))
        unfinished.rename(files)
    say("vocabulary")
    tokenizer = data.tokenizer_in(files)
    tasks = {task for stage in stages for task, _ in stage.counts} & set(FIGURE)
    looks = {
        (task, split): list(data.items_of(task, split, count, LOOK_SEED))
        for task in FIGURE
        if task in tasks
        for split, count in LOOKS.items()
    }
    torch.manual_seed(SEED)
    model = MiniModel(mini_config(len(tokenizer.get_vocab()), **shape))
    say(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters")

    def look(step: int) -> Mapping[str, Any]:  # noqa: ARG001
        found = {}
        for (task, split), items in looks.items():
            with eager_pipeline(model, tokenizer, task, half=True) as pipeline:
                found[f"{task} {split}"] = round(figures(task, pipeline, items)[FIGURE[task]], 1)
        return found

    for stage, directory in zip(stages, stage_directories(run, stages, shape), strict=True):
        weights = directory / "weights.pt"
        if not weights.exists():
            directory.mkdir(parents=True, exist_ok=True)
            times = directory / "seconds.json"
            paths, lacking = data.shards(work / "data", stage.counts, stage.seed)
            if lacking:
                with timed(times, "texts", goes_on=lacking < len(paths)):
                    data.make(work / "data", files, stage.counts, stage.seed)
            with timed(times, "training"):
                why_not = model.compile_layer()
                if why_not is not None:
                    say(f"the layer is not compiled, and everything slower: {why_not}")
                sets = data.load(paths, begin=stage.begin, spells=stage.spells)
                for part in sets:
                    longest = part.lengths().max()
                    say(f"{part.task}: {len(part):,} items, {len(part.ids):,} tokens, at most {longest} each")
                words = WordsRead(tokenizer)
                (directory / "log.jsonl").unlink(missing_ok=True)
                train(
                    model,
                    sets,
                    Masker.of(tokenizer),
                    stage.training,
                    look=look,
                    renamer=Renamer.of(tokenizer, sets) if stage.training.renamed else None,
                    words=words,
                    directory=directory,
                    say=say,
                )
                words_read.write(directory / "words.txt", words.words())
                save(model, weights)
        model.load_state_dict(torch.load(weights, weights_only=True))
        say(f"the {stage.name} stage is trained")
    return weights


def main() -> int:
    """Run the stages."""
    parser = argparse.ArgumentParser(description="Make albert-mini.")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "mini", help="where training set and checkpoints go"
    )
    parser.add_argument("--run", default="run", help="name of this training in the work directory")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "albert_export" / "builtin" / "mini", help="where the files go"
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where figures and the curve go")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="other settings, in each stage")
    parser.add_argument("--shape", nargs="*", default=[], metavar="NAME=N", help="other sizes of the model")
    parser.add_argument(
        "--counts", nargs="*", default=[], metavar="TASK=N", help="other numbers of items, in each stage"
    )
    parser.add_argument("--train-only", action="store_true", help="end after the training")
    arguments = parser.parse_args()

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Products of matrices are compiled for each shape, for as long as ten of them take: none is forgotten.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
    import torch

    from tools.mini.data import source_hash
    from tools.mini.stages import STAGES

    torch.set_num_threads(2)
    # What another generator made is never taken for this one's.
    work: Path = arguments.work / source_hash()
    counts = parsed_counts(arguments.counts)
    settings = {name: json.loads(value) for name, value in (change.split("=") for change in arguments.set)}
    shape = {name: int(value) for name, value in (change.split("=") for change in arguments.shape)}
    if unknown := counts.keys() - {key for stage in STAGES for key in stage.counts}:
        parser.error(f"no stage has items of {', '.join(':'.join(filter(None, key)) for key in sorted(unknown))}")
    stages = [stage.changed(counts, settings) for stage in STAGES]
    run = work / arguments.run
    weights = trained(work, run, stages, shape)
    if not arguments.train_only:
        from tools.mini.finishing import finish

        missed = finish(weights, work, run, stages, arguments.out, arguments.docs, shape)
        for miss in missed:
            print(f"MISS {miss}")
        return 1 if missed else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
