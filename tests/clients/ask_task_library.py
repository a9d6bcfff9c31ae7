"""Answer with TFLite files as TFLite Task Library does. What it reads and prints: ``clients.py``.

Lives in an environment of its own: tflite-support 0.4.4 exists for Python 3.11 at most and numpy 1 only, and needs
libusb-1.0 of the system.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from tflite_support.task import text as tasks


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Open the file, and answer its records."""
    if job["task"] == "question-answering":
        answerer = tasks.BertQuestionAnswerer.create_from_file(job["file"])
        found = [answerer.answer(record["context"], record["question"]).answers for record in job["records"]]
        # It may find none: it looks at the five likeliest first tokens and the five likeliest last ones only.
        return [
            {"text": best.text, "logit": best.pos.logit} if best else {}
            for best in (next(iter(each), None) for each in found)
        ]
    classifier = tasks.BertNLClassifier.create_from_file(job["file"])
    return [{"scores": scores(classifier.classify(record["text"]))} for record in job["records"]]


def scores(result: Any) -> dict[str, float]:
    """Return a probability for each label; what the file gives, and so the library, are logits."""
    powers = {one.category_name: math.exp(one.score) for one in result.classifications[0].categories}
    return {label: power / sum(powers.values()) for label, power in powers.items()}


if __name__ == "__main__":
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
