"""Record what transformers' pipelines make of texts and logits, into pipelines.json.

Run in an environment of its own, which has transformers 4.37.2, torch, sentencepiece and tokenizers::

    python tests/golden/record_pipelines.py

The model is a small random ALBERT whose head is scaled up so that its logits differ; they are rounded, and recorded
by the ids of their row. So a test needs no model: it plays the recorded logits to our pipelines and compares results.
The tokenizer is built from the built-in vocabulary.
"""

from __future__ import annotations

import datetime
import json
import platform
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers  # noqa: TID251
from transformers import AlbertConfig, AlbertTokenizerFast, pipeline  # noqa: TID251

HERE = Path(__file__).parent
VOCABULARY = HERE.parent.parent / "albert_export" / "builtin" / "spiece.model"
LABELS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
SIZE = {
    "vocab_size": 2000,
    "embedding_size": 16,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}

QUESTIONS = [
    ("Who wrote the notes?", "Ada Lovelace wrote the notes on the engine of Charles Babbage in 1843."),
    ("Où est la gare ?", "La gare est à Orléans,  près d'une église;\n\n l'hôtel (fermé) coûtait 1,000,000 € en 1999."),
    ("What is it?", "北京是中国的首都 and Zoë's café is in the old town… “really” — 😀 so they say."),
    ("the", " ".join(["the"] * 40)),
]
SENTENCES = [
    "Ada wrote the notes on the engine of Charles Babbage in London",
    "Ada Lovelace wrote the notes on the engine",
    "Zoë Müller est née à Orléans en 1999 près d'une église",
    "the old   house by the sea was in the Northumberland of Aethelfrith",
]
MASKED = ["Ada wrote the [MASK] on the engine.", "the [MASK] of the [MASK] by the sea", "[MASK] was there"]


def main() -> None:
    """Record every case and write the file."""
    torch.manual_seed(20)
    directory = HERE / "_vocabulary"
    directory.mkdir(exist_ok=True)
    (directory / "spiece.model").write_bytes(VOCABULARY.read_bytes())
    tokenizer = AlbertTokenizerFast.from_pretrained(directory, model_max_length=512)
    recorded = {
        "recorded": datetime.date.today().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "torch": torch.__version__,
        },
        "labels": LABELS,
        "question-answering": question_answering(tokenizer),
        "token-classification": token_classification(tokenizer),
        "text-classification": text_classification(tokenizer),
        "fill-mask": fill_mask(tokenizer),
    }
    (directory / "spiece.model").unlink()
    directory.rmdir()
    (HERE / "pipelines.json").write_text(one_entry_a_line(recorded) + "\n", encoding="utf-8")


def one_entry_a_line(value: Any, depth: int = 3) -> str:
    """Format JSON with a line for each row and case, and no more."""
    if depth == 0 or not value or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        parts = [f"{json.dumps(str(key))}: {one_entry_a_line(entry, depth - 1)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(parts) + "\n}"
    return "[\n" + ",\n".join(one_entry_a_line(entry, depth - 1) for entry in value) + "\n]"


def model(kind: str, scale: float, **fields: Any) -> Any:
    """A random model of one class, with its last layer scaled up."""
    made = getattr(transformers, kind)(AlbertConfig(**SIZE, **fields)).eval()
    head = getattr(made, "qa_outputs", None) or getattr(made, "classifier", None) or made.predictions.dense
    with torch.no_grad():
        head.weight.mul_(scale)
    return made


def recording(pipe: Any, names: list[str]) -> list[dict[str, Any]]:
    """Round the pipeline's logits, and note them with the ids of their row."""
    rows: list[dict[str, Any]] = []
    forward = pipe.model.forward

    def rounded(*args: Any, **kwargs: Any) -> Any:
        outputs = forward(*args, **kwargs)
        for name in names:
            outputs[name] = (outputs[name] * 1000).round() / 1000
        for row, ids in enumerate(kwargs["input_ids"].tolist()):
            logits = {name: thousandths(outputs[name][row]) for name in names}
            if {"ids": ids, **logits} not in rows:
                rows.append({"ids": ids, **logits})
        return outputs

    pipe.model.forward = rounded
    return rows


def thousandths(logits: torch.Tensor) -> Any:
    return (logits * 1000).round().int().tolist()


def question_answering(tokenizer: Any) -> dict[str, Any]:
    pipe = pipeline("question-answering", model=model("AlbertForQuestionAnswering", 6), tokenizer=tokenizer)
    rows = recording(pipe, ["start_logits", "end_logits"])
    cases = []
    for question, context in QUESTIONS:
        for options in (
            {"top_k": 8, "align_to_words": False},
            {"top_k": 8, "align_to_words": False, "max_answer_len": 3},
            {"top_k": 8, "align_to_words": False, "handle_impossible_answer": True},
            {"top_k": 1, "align_to_words": False, "max_seq_len": 30, "doc_stride": 5},
        ):
            result = pipe(question=question, context=context, **options)
            answers = result if isinstance(result, list) else [result]
            cases.append({"question": question, "context": context, "options": options, "answers": answers})
    return {"rows": rows, "cases": cases}


def token_classification(tokenizer: Any) -> dict[str, Any]:
    made = model("AlbertForTokenClassification", 4, id2label=LABELS)
    pipe = pipeline("token-classification", model=made, tokenizer=tokenizer)
    rows = recording(pipe, ["logits"])
    cases = []
    for sentence in SENTENCES:
        for aggregation in ("none", "simple", "first", "average", "max"):
            for ignored in (["O"], []):
                found = pipe(sentence, aggregation_strategy=aggregation, ignore_labels=ignored)
                entities = [
                    {
                        "label": entity.get("entity", entity.get("entity_group")),
                        "score": float(entity["score"]),
                        "start": int(entity["start"]),
                        "end": int(entity["end"]),
                        **({"index": int(entity["index"]), "token": entity["word"]} if aggregation == "none" else {}),
                    }
                    for entity in found
                ]
                options = {"aggregation": aggregation, "ignore_labels": ignored}
                cases.append({"text": sentence, "options": options, "entities": entities})
    return {"rows": rows, "cases": cases}


def text_classification(tokenizer: Any) -> dict[str, Any]:
    rows, cases = [], []
    for problem in ("single_label_classification", "multi_label_classification"):
        made = model("AlbertForSequenceClassification", 4, id2label=LABELS, problem_type=problem)
        pipe = pipeline("text-classification", model=made, tokenizer=tokenizer)
        own = recording(pipe, ["logits"])
        for text, pair in [(sentence, None) for sentence in SENTENCES] + QUESTIONS:
            given = {"text": text} if pair is None else {"text": text, "text_pair": pair}
            cases.append({"problem_type": problem, "texts": given, "labels": pipe(given, top_k=None)})
        rows += [{"problem_type": problem, **row} for row in own]
    return {"rows": rows, "cases": cases}


def fill_mask(tokenizer: Any) -> dict[str, Any]:
    pipe = pipeline("fill-mask", model=model("AlbertForMaskedLM", 3), tokenizer=tokenizer)
    rows = recording(pipe, ["logits"])
    cases = []
    for text in MASKED:
        for options in ({"top_k": 5}, {"top_k": 2, "targets": ["▁the", "▁sea", "▁city"]}):
            found = pipe(text, **options)
            several = found if isinstance(found[0], list) else [found]
            fills = [
                [{"token": fill["token"], "token_str": fill["token_str"], "score": fill["score"]} for fill in one]
                for one in several
            ]
            sequences = [fill["sequence"] for fill in several[0]] if len(several) == 1 else None
            cases.append({"text": text, "options": options, "fills": fills, "sequences": sequences})
    mask = tokenizer.mask_token_id
    for row in rows:  # only what stands at a mask is read
        row["logits"] = [logits for token, logits in zip(row["ids"], row["logits"], strict=True) if token == mask]
    return {"rows": rows, "cases": cases}


if __name__ == "__main__":
    main()
