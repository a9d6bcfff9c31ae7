"""The JUnit form: well formed whatever is in it, one test for each case, output and check, and counts that add up."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from albert_export.parity import ParityReport
from tests.parity.samples import CASES, artifact, missing, passing, report


def suites(made: ParityReport) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(made.to_junit())
    assert root.tag == "testsuites"
    return {str(suite.get("name")): suite for suite in root}


def failures(suite: ElementTree.Element) -> dict[str, str]:
    return {
        str(test.get("name")): str(failure.get("message"))
        for test in suite
        if (failure := test.find("failure")) is not None
    }


@pytest.mark.parametrize("made", [passing(), missing(), report()], ids=["passing", "missing", "nothing"])
def test_the_counts_are_those_of_the_tests(made: ParityReport) -> None:
    root = ElementTree.fromstring(made.to_junit())
    for element in (root, *root):
        tests = list(element.iter("testcase"))
        assert int(str(element.get("tests"))) == len(tests)
        assert int(str(element.get("failures"))) == sum(test.find("failure") is not None for test in tests)
        assert int(str(element.get("skipped"))) == sum(test.find("skipped") is not None for test in tests)
    names = [(test.get("classname"), test.get("name")) for test in root.iter("testcase")]
    assert len(set(names)) == len(names), "readers keep one test of a name"


def test_every_case_output_and_check_of_every_artifact_is_a_test() -> None:
    found = suites(passing())
    assert list(found) == ["onnx/model.onnx", "tflite/model.tflite", "stablehlo/model", "eager TensorFlow model"]
    names = [str(test.get("name")) for test in found["onnx/model.onnx"].iter("testcase")]
    assert names[: len(CASES)] == [f"case {name} ({'×'.join(map(str, shape))})" for name, shape, _ in CASES]
    assert names[len(CASES) :] == [
        "output start_logits at real places", "output end_logits at real places",
        "output start_logits at padding places", "check finite", "check row alone", "check repeated run",
    ]  # fmt: skip
    (skipped,) = [
        test.get("name") for test in found["onnx/model.onnx"].iter("testcase") if test.find("skipped") is not None
    ]
    assert skipped == "check repeated run", "what does not apply did not pass"


def test_a_report_that_passes_has_no_failure_and_one_that_misses_names_each() -> None:
    assert passing().ok
    assert not any(failures(suite) for suite in suites(passing()).values())
    found = failures(suites(missing())["onnx/model_int8.onnx"])
    assert set(found) == {
        "case text (4×48)", "case text-left-padded (4×46)", "case one-token (1×1)",
        "output start_logits at real places", "output end_logits at real places",
        "check row alone", "metric exact match",
    }  # fmt: skip
    assert found["case text (4×48)"] == "start_logits: max error 1.90e+00, limit 8.00e-01"
    assert "2 clearly" in found["output start_logits at real places"]
    assert "a drop of 7.50 points" in found["metric exact match"]


def test_what_was_skipped_and_what_got_worse_are_suites_of_their_own() -> None:
    found = suites(missing())
    (skipped,) = found["skipped"].iter("testcase")
    element = skipped.find("skipped")
    assert element is not None
    assert element.get("message") == "savedmodel is to be skipped"
    left_out = list(found["left out of a short run"].iter("testcase"))
    assert [each.get("name") for each in left_out] == ["the case odd-length", "memory"]
    assert all(each.find("skipped") is not None for each in left_out)
    (worse,) = failures(found["compared with report.json"]).values()
    assert worse == "onnx/model.onnx: size is 44.6 MB (+1.4%), was 44.0 MB, allowed at most 44.4 MB"


def test_hostile_text_stays_text() -> None:
    text = missing().to_junit()
    assert "<script" not in text
    assert "\x00" not in text
    assert "\x1b" not in text
    message = failures(ElementTree.fromstring(text)[3])["check row alone"]
    assert "<script>document.title='broken'</script>" in message
    assert "東京" in message


def test_an_artifact_of_which_nothing_was_compared_fails() -> None:
    made = report(artifact("onnx/model.onnx", "fp32", 0.0, outputs=(), by_case=(), checks=(), cases=()))
    assert not made.ok
    assert failures(suites(made)["onnx/model.onnx"]) == {"something was compared": "no output was compared"}
