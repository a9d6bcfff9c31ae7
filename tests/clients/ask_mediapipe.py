"""Answer with TFLite files as MediaPipe's TextClassifier does. What it reads and prints: ``clients.py``."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from mediapipe.tasks.python import BaseOptions, text


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Open the file, and classify its records."""
    options = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=job["file"]))
    with text.TextClassifier.create_from_options(options) as classifier:
        return [{"scores": scores(classifier.classify(record["text"]))} for record in job["records"]]


def scores(result: Any) -> dict[str, float]:
    """Return a probability for each label; what the file gives, and so MediaPipe, are logits."""
    powers = {one.category_name: math.exp(one.score) for one in result.classifications[0].categories}
    return {label: power / sum(powers.values()) for label, power in powers.items()}


if __name__ == "__main__":
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
