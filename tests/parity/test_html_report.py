"""The HTML form: everything is in it, nothing in it is taken for markup, and it asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from albert_export.parity import ParityReport
from tests.parity.samples import CASES, HOSTILE, artifact, missing, passing, report

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Tree(HTMLParser):
    """Checks that elements nest, and keeps tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)


def parsed(made: ParityReport) -> Tree:
    tree = Tree()
    tree.feed(made.to_html())
    tree.close()
    assert tree.open == []
    return tree


@pytest.mark.parametrize("made", [passing(), missing(), report()], ids=["passing", "missing", "nothing"])
def test_the_page_is_well_formed_and_its_links_lead_somewhere(made: ParityReport) -> None:
    tree = parsed(made)
    names = [value for _, name, value in tree.attributes if name == "id"]
    assert len(set(names)) == len(names)
    assert {value[1:] for _, name, value in tree.attributes if name == "href" and value.startswith("#")} <= set(names)
    assert {value for _, name, value in tree.attributes if name == "aria-labelledby"} <= set(names)
    assert (tree.tags.count("h1"), tree.tags.count("main")) == (1, 1)


def test_the_verdict_comes_first_and_every_part_is_there() -> None:
    tree = parsed(missing())
    text = "".join(tree.texts)
    assert text.index("Parity missed") < text.index("What misses") < text.index("Matrix")
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", missing().to_html())
    assert titles == [
        "What misses", "Against report.json", "Matrix", "Outputs", "Errors by size", "Error against depth",
        "Decisions that flip", "Answers on data", "Eager models", "Environment",
    ]  # fmt: skip
    for told in (*(name for name, _, _ in CASES), "row alone", "onnx/model_int8.onnx", "2.13.0", "▁Ada", "exact match"):
        assert told in text
    assert "A short run, without the case odd-length, memory." in text
    assert "Not checked: saved_model/1/saved_model.pb: savedmodel is to be skipped." in text
    assert "Parity holds" in "".join(parsed(passing()).texts)


def test_a_colour_is_never_the_only_sign() -> None:
    cells = re.findall(r'<td class="(missed|pass|fair|near)"[^>]*>(?:<details><summary>)?([^<]*)', missing().to_html())
    assert len(cells) > 40
    for kind, shown in cells:
        if shown != "clear":
            assert shown.startswith("✗" if kind == "missed" else "✓"), (kind, shown)


def test_what_a_cell_has_to_tell_needs_no_mouse() -> None:
    page = missing().to_html()
    assert " title=" not in page, "titles show to a mouse alone"
    opened = re.findall(r"<td[^>]*><details><summary>([^<]*)</summary><p>([^<]*)</p></details></td>", page)
    told = [more for shown, more in opened if shown.startswith("✗")]
    assert any("start_logits: max error 1.90e+00, limit 8.00e-01; end_logits: max error" in more for more in told)
    assert any(more.startswith("start_logits differs by 1") for more in told)
    assert "cosine 0.999999, gain 1.0001, 12 of 20 decisions flip, 2 clearly" in page, (
        "the findings name every figure judged by"
    )


def test_hostile_text_stays_text() -> None:
    made = missing()
    tree = parsed(made)
    assert tree.tags.count("script") == 1
    assert not any(name.startswith("on") for _, name, _ in tree.attributes), "no handlers in attributes"
    assert any(re.sub("[\x00\x1b]", "�", HOSTILE) in text for text in tree.texts)
    assert "\x00" not in made.to_html()


def test_the_page_asks_the_network_for_nothing_and_forbids_it() -> None:
    page = missing().to_html()
    tree = parsed(missing())
    loading = [(tag, value) for tag, name, value in tree.attributes if name in ("src", "href", "srcset", "action")]
    assert all(value.startswith(("#", "data:")) for _, value in loading), loading
    assert "@import" not in page
    assert "url(" not in page
    policy = next(value for tag, name, value in tree.attributes if tag == "meta" and value.startswith("default-src"))
    for kind in ("script", "style"):
        (inner,) = re.findall(f"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not any(name == "style" for _, name, _ in tree.attributes), "the policy would drop them"


def test_errors_of_zero_and_of_infinity_make_a_page_too() -> None:
    same = artifact("onnx/model.onnx", "fp32", 0.0)
    broken = artifact("tflite/model.tflite", "fp32", float("inf"))
    text = " ".join(parsed(report(same, broken)).texts)
    assert "✗ ∞" in text
    assert not re.search(r"\bnan\b", text)
