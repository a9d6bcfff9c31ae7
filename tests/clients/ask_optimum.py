"""Answer with a bundle as Optimum does: its ``ORTModelFor…`` classes, and transformers' pipelines on them.

Lives in an environment with optimum-onnx and transformers, and nothing of albert-export. What it reads and prints:
``clients.py``. fp32 is the file that Optimum finds in the directory by itself; others are named to it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import optimum.onnxruntime as ort
import torch
from transformers import AutoTokenizer, pipeline  # noqa: TID251  this is transformers' own client

#: That of ``questions.py``.
LONGEST_ANSWER = 384

CLASSES = {
    "question-answering": ort.ORTModelForQuestionAnswering,
    "text-classification": ort.ORTModelForSequenceClassification,
    "token-classification": ort.ORTModelForTokenClassification,
    "fill-mask": ort.ORTModelForMaskedLM,
    "multiple-choice": ort.ORTModelForMultipleChoice,
    "feature-extraction": ort.ORTModelForFeatureExtraction,
}


def answers(task: str, model: Any, tokenizer: Any, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one answer a record."""
    if task == "multiple-choice":  # transformers has no pipeline for it
        return [choose(model, tokenizer, record) for record in records]
    ask = pipeline(task, model=model, tokenizer=tokenizer)
    if task == "question-answering":
        found = [ask(**record, align_to_words=False, max_answer_len=LONGEST_ANSWER) for record in records]
        return [{"text": one["answer"], "score": one["score"]} for one in found]
    texts = [record["text"] for record in records]
    if task == "text-classification":
        return [{"scores": {one["label"]: one["score"] for one in ask(text, top_k=None)}} for text in texts]
    if task == "token-classification":
        found = [ask(text, ignore_labels=[]) for text in texts]
        return [
            {"labels": [one["entity"] for one in each], "scores": [float(one["score"]) for one in each]}
            for each in found
        ]
    if task == "fill-mask":
        found = [ask(text) for text in texts]
        return [
            {"tokens": [one["token_str"] for one in each], "scores": [one["score"] for one in each]} for each in found
        ]
    means = [torch.tensor(ask(text)[0], dtype=torch.float64).mean(dim=0) for text in texts]
    return [{"vector": (mean / mean.norm()).tolist()} for mean in means]


def choose(model: Any, tokenizer: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Return the choices' probabilities, as the documentation of ``ORTModelForMultipleChoice`` shows it."""
    prompts = [record["prompt"]] * len(record["choices"])
    encoded = tokenizer(prompts, record["choices"], padding=True, return_tensors="pt")
    logits = model(**{name: tensor.unsqueeze(0) for name, tensor in encoded.items()}).logits
    return {"scores": logits.softmax(dim=-1)[0].tolist()}


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Open the bundle, and answer its records."""
    tokenizer = AutoTokenizer.from_pretrained(job["directory"])
    named = {} if job["precision"] == "fp32" else {"file_name": Path(job["file"]).name, "subfolder": "onnx"}
    model = CLASSES[job["task"]].from_pretrained(job["directory"], **named)
    return answers(job["task"], model, tokenizer, job["records"])


if __name__ == "__main__":
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
