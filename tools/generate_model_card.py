"""Write docs/model-card.md from the figures of the training, so that the card cannot claim others.

    python -m tools.generate_model_card

The figures are those of ``docs/mini-metrics.json``, which ``make mini`` writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from albert_export.builtin.trained import FILES
from albert_export.config import AlbertConfig
from benchmarks.measuring import table
from tools.mini.evaluation import FIGURE
from tools.mini.figures import BASELINE_LIMIT, GATES, misses
from tools.mini.times import PARTS

DOCS = Path(__file__).resolve().parent.parent / "docs"
CARD = DOCS / "model-card.md"
METRICS = DOCS / "mini-metrics.json"

#: Key of a figure -> how it is told.
NAMES = {
    "exact_match": "exact match",
    "f1": "F1 of words",
    "entity_f1": "F1 of entities",
    "accuracy": "accuracy",
    "top1": "top-1",
    "top5": "top-5",
    "spearman": "Spearman",
}

INTRODUCTION = """\
# Model card: albert-mini

Written by `make docs` from [mini-metrics.json](mini-metrics.json); a test compares the two.

albert-mini is the small ALBERT that comes with the package and that `--model` takes by default. It was trained from
scratch, here, on text that the repository generates: paragraphs about people, places, jobs, dates, things, shops and
feelings in small invented worlds. It has all seven heads on one encoder.
"""

PURPOSE = """\
## What it is for

- Demos: `make demo`, and every export without `--model`, answers for real, without a network.
- Tests: an export, a runtime or an app can be held to right answers, and not to numbers alone.
- What an export costs in answers: an int8 or fp16 artifact is measured on texts that the model was not trained on,
  which parity does unasked ([parity.md](parity.md)). An untrained model cannot show that, since it has no right answers
  to lose.

## What it is not for

- **Not for answers about your documents.** It has read little but sentences of fixed patterns, with a few hundred nouns
  and with composed names. It misreads other text, and its scores need not be lower for it.
- Not for other languages than English, and not for English as people write it.
- Not for the "no answer" of SQuAD 2: every question that it was trained on has an answer in the text.
- Not for knowledge: its worlds are invented, and what it seems to know of a real person or town is made up.
- Not for comparing models or methods of quantisation in general: a model this small on text this plain loses other
  answers than a large one on real text. Measure your own with `--data`.
- Not as a start for further training: the released ALBERT checkpoints have read billions of words more.

Names, pronouns and jobs are drawn independently of each other. Nobody has examined the model for bias beyond that; it
must decide nothing about people.
"""

HOW_IT_WAS_MADE = """\
`make mini` makes it anew, with its figures: it generates the text, trains the vocabulary and then all heads at once, in
one pass over the text, and writes the files, the held-out sets and this card. The training begins with short questions
alone; the other tasks come in after a ninth of it, usual questions after a fifth, multiple choice after a quarter, long
questions after half; the short texts end on the way. From three tenths of the steps on, rare pieces of the vocabulary
stand for the names in more and more rows about names, up to half of them, so that they are read off what is around
them; after two fifths, Muon takes over from AdamW. The shared layer is compiled, which takes a C++ compiler; without
one the same takes longer. The text is the same everywhere; the weights are the same on one machine with one version of
torch and one compiler, and differ in their bits between machines. The vocabulary is SentencePiece's, trained on the
generated text and on text that was written for the repository. The weights are stored in float16, and these numbers
are the model.
"""

LICENCE = """\
## Licence

Apache-2.0, like all of the repository: weights, vocabulary, held-out sets, and the text that they were trained on. That
text was written and generated here, and nothing was taken from anywhere else. Names that are somebody's are so by
chance.
"""


def render(metrics: Mapping[str, Any], config: AlbertConfig) -> str:
    """Return the whole card.

    Args:
        metrics: What ``docs/mini-metrics.json`` holds.
        config: Configuration of the encoder.
    """
    return "\n".join([INTRODUCTION, PURPOSE, _figures(metrics), _by_length(metrics), _making(metrics, config), LICENCE])


def _figures(metrics: Mapping[str, Any]) -> str:
    rows = []
    for task, splits in metrics["tasks"].items():
        for name in splits["held_out"]:
            if name == "items":
                continue
            row: list[object] = [task, NAMES[name]]
            for split in ("held_out", "new_patterns"):
                least = GATES.get((task, split)) if name == FIGURE[task] else None
                row += [f"{splits[split][name]:.1f}", "" if least is None else f"{least:.0f}"]
            rows.append(row)
    baseline = metrics["baseline_exact_match"]
    items = metrics["tasks"]["question-answering"]
    told = _paragraph(f"""
In fp32, on the eager model, through the product's own pipelines, in points of a hundred. *Held-out* texts have names
that training never saw ({items["held_out"]["items"]} items of each task); those of *new patterns* have sentences or
questions of a kind that it never saw either ({items["new_patterns"]["items"]}). (A name is on one
side as a whole, and no held-out name of one word is a word that training read anywhere: in another name, among the
pieces that stand for names, or as one piece of the vocabulary.) Both sets are in the package.
Beside some figures stands what they are to reach.""")
    missed = misses(metrics["tasks"])
    if missed:
        told += "\n\n" + _paragraph(f"Not reached yet: {'; '.join(missed)}.")
    compared = _paragraph(f"""
A reader who only counts words that question and sentence share reaches an exact match of {baseline["held_out"]:.1f} on
the held-out questions (it must stay below {BASELINE_LIMIT:.0f}, or they would be too easy) and
{baseline["new_patterns"]:.1f} on those of new patterns. Of all items of both sets,
{sum(metrics["leaks"].values())} are items of the same task in the training set, letter case and spaces apart.""")
    return f"""\
## What it can do

{told}

{table(("task", "figure", "held-out", "at least", "new patterns", "at least"), rows)}

{compared}

In a checkout, `.venv/bin/python -m benchmarks.mini_accuracy` measures all this again; what exports lose of it stands in
[parity.md](parity.md).
"""


def _paragraph(text: str) -> str:
    """Wrap lines anew, whose lengths the figures change."""
    return fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def _by_length(metrics: Mapping[str, Any]) -> str:
    rows: list[Sequence[object]] = [
        (f"{row['tokens'][0]} to {row['tokens'][1]}", row["items"], f"{row['exact_match']:.1f}")
        for row in metrics["question_answering_by_tokens"]
    ]
    return f"""\
Answers by the tokens of question and text together, on 450 further questions, a third each about short, usual and long
texts (those above have lengths of their own, so that the mean differs; these names are held out as wholes, and training
may have read a word of them in another):

{table(("tokens", "items", "exact match"), rows)}
"""


def _making(metrics: Mapping[str, Any], config: AlbertConfig) -> str:
    training = metrics["training"]
    stages = training["stages"]
    kinds = dict.fromkeys(name for stage in stages for name in stage["items"])
    rows = [(name, *(f"{stage['items'].get(name, 0):,}" for stage in stages)) for name in kinds]
    parameters = metrics["parameters"]
    shape = _paragraph(f"""
One layer, {config.hidden_size} wide with {config.num_attention_heads} heads of attention and {config.intermediate_size}
in between, is applied {config.num_hidden_layers} times; {config.vocab_size:,} pieces of vocabulary, embedded in
{config.embedding_size}; at most {config.max_position_embeddings} tokens. {parameters["encoder"]:,} parameters are the
encoder's, {parameters["all"]:,} are all. The files in the package, held-out sets among them, take
{metrics["bytes"] / 1e6:.1f} MB.""")
    speeds = " and ".join(f"{stage['tokens_per_second']:,}" for stage in stages)
    course = _paragraph(f"""
{_duration(training["seconds"])}The training took {training["steps"]:,} steps over
{training["tokens"] / 1e6:.1f} million tokens, at {speeds} a second, evaluations not counted
({training["machine"]}).""")
    return f"""\
## How it was made

{HOW_IT_WAS_MADE}
{shape}

*words* are paragraphs of which only masked words are learnt.

{table(("training text", *("items" if len(stages) == 1 else f"items, {stage['name']}" for stage in stages)), rows)}

{course}

The figures in the picture are of 100 other items of each task and set, with names that are held out as wholes alone,
and differ by some points from those above. *masks* is the loss of masked words; *hints* is that of telling which tokens
of a second text the first one has as well, and which are of the sentence with the answer.

![Losses, and figures on held-out names and on new patterns, by tokens read](mini-training-curve.png)
"""


def _duration(seconds: Mapping[str, float]) -> str:
    """Tell how long everything took; nothing where a part of it was not timed."""
    if set(seconds) != set(PARTS):
        return ""
    *first, last = (f"{own / 60:.1f} for the {part}" for part, own in seconds.items())
    return f"It took {sum(seconds.values()) / 60:.1f} minutes: {', '.join(first)} and {last}. "


def read_metrics(path: Path = METRICS) -> dict[str, Any]:
    """Return the stored figures."""
    metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return metrics


if __name__ == "__main__":
    CARD.write_text(render(read_metrics(), AlbertConfig.from_json_file(FILES / "config.json")), encoding="utf-8")
    print(f"wrote {CARD.relative_to(Path.cwd()) if CARD.is_relative_to(Path.cwd()) else CARD}", file=sys.stderr)
