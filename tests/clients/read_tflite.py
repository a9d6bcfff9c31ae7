"""Answer with a TFLite file as its real readers do, TFLite Task Library and MediaPipe.

Each lives in an environment of its own: tflite-support 0.4.4 exists for Python 3.11 and numpy 1 only, and needs
libusb-1.0 of the system; mediapipe 1.2.3 brings an interpreter of its own. The file is a text classifier, or for Task
Library also a question answerer, exported with ``compat`` and with its vocabulary packed.

Usage: ``python read_tflite.py task-library|mediapipe FILE TEXT [QUESTION]``
"""

from __future__ import annotations

import argparse
from pathlib import Path


def with_task_library(file: Path, text: str, question: str | None) -> list[tuple[str, float]]:
    """Return labels with scores, or answers with logits."""
    from tflite_support.task import text as tasks

    if question is None:
        result = tasks.BertNLClassifier.create_from_file(str(file)).classify(text)
        return [(one.category_name, one.score) for one in result.classifications[0].categories]
    answers = tasks.BertQuestionAnswerer.create_from_file(str(file)).answer(text, question).answers
    return [(one.text, one.pos.logit) for one in answers]


def with_mediapipe(file: Path, text: str) -> list[tuple[str, float]]:
    """Return labels with scores."""
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python import text as tasks

    options = tasks.TextClassifierOptions(base_options=BaseOptions(model_asset_path=str(file)))
    with tasks.TextClassifier.create_from_options(options) as classifier:
        result = classifier.classify(text)
    return [(one.category_name, one.score) for one in result.classifications[0].categories]


def main() -> None:
    """Parse the arguments and print a line an answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=["task-library", "mediapipe"])
    parser.add_argument("file", type=Path)
    parser.add_argument("text")
    parser.add_argument("question", nargs="?")
    arguments = parser.parse_args()
    if arguments.reader == "mediapipe":
        answers = with_mediapipe(arguments.file, arguments.text)
    else:
        answers = with_task_library(arguments.file, arguments.text, arguments.question)
    for answer, score in answers:
        print(f"{score:8.4f}  {answer}")


if __name__ == "__main__":
    main()
