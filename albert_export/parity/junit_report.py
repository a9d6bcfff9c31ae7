"""The parity report as JUnit XML, which continuous integration shows as tests.

One suite for each artifact; in it, one test for each case, output and check. Other suites hold the eager models, the
artifacts that were skipped, what a short run leaves out, and what got worse. Attributes are those that all readers take
(Jenkins, GitLab, GitHub's actions for it, Azure): ``name``, ``classname``, ``tests``, ``failures``, ``errors``,
``skipped``, ``time``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from albert_export.parity.render import comparison_lines, fault_lines, reference_lines, share_of_limit
from albert_export.parity.report import ArtifactResult, OutputResult, ParityReport
from albert_export.targets import FRAMEWORKS

#: What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Test:
    """One test: its name, what failed in one line a finding, and why it was skipped, if it was."""

    name: str
    failures: tuple[str, ...] = ()
    skipped: str | None = None
    told: str = ""


def junit(report: ParityReport) -> str:
    """Return the whole report as JUnit XML."""
    suites = [(artifact.file, _artifact_tests(artifact)) for artifact in report.artifacts]
    suites += [
        (f"eager {FRAMEWORKS[eager.framework].title} model", list(map(_output_test, eager.outputs)))
        for eager in report.eager
    ]
    if report.skipped:
        suites.append(("skipped", [_Test(each.file, skipped=each.reason) for each in report.skipped]))
    if report.left_out:  # or a short run would look like a whole one
        suites.append(("left out of a short run", [_Test(each, skipped="a short run") for each in report.left_out]))
    if report.comparison is not None:
        worse = [_Test(f"{each.artifact}: {each.what}", (each.told(),)) for each in report.comparison.worse]
        told = "\n".join(comparison_lines(report.comparison))
        suites.append((f"compared with {report.comparison.old}", worse or [_Test("nothing got worse", told=told)]))
    counts = _counts([test for _, tests in suites for test in tests])
    root = ElementTree.Element("testsuites", _clean({"name": f"parity of {report.task}", **counts}))
    root.set("time", f"{report.seconds:.3f}")
    for name, tests in suites:
        suite = ElementTree.SubElement(root, "testsuite", _clean({"name": name, **_counts(tests), "time": "0"}))
        if tests:
            _properties(suite, report)
        for test in tests:
            _add(suite, name, test)
    return _document(root)


def junit_error(told: str) -> str:
    """Return a report of one test that could not be made: for a run in which nothing could be checked."""
    root = ElementTree.Element("testsuites", {"name": "parity", "tests": "1", "failures": "0", "errors": "1"})
    attributes = {"name": "parity", "tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": "0"}
    suite = ElementTree.SubElement(root, "testsuite", attributes)
    named = {"name": "parity could be checked", "classname": "parity", "time": "0"}
    message = _clean({"message": told, "type": "NotChecked"})
    ElementTree.SubElement(ElementTree.SubElement(suite, "testcase", named), "error", message).text = _writable(told)
    return _document(root)


def _document(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _artifact_tests(artifact: ArtifactResult) -> list[_Test]:
    faults = list(zip(artifact.faults, fault_lines(artifact), strict=True))
    limits = {output.output: output.limit for output in artifact.outputs if output.places == "real"}
    tests = []
    for case in artifact.cases:
        shape = "×".join(map(str, case.shape))
        found = [line for fault, line in faults if fault.case == case.name]
        compared = [each for each in artifact.by_case if each.case == case.name]
        found += [
            f"{each.output}: max error {each.error:.2e}, limit {limits[each.output]:.2e}"
            for each in compared
            if not each.ok
        ]
        told = [f"{each.output}: max error {each.error:.2e}, limit {limits[each.output]:.2e}" for each in compared]
        tests.append(_Test(f"case {case.name} ({shape})", tuple(found), told="\n".join(told)))
    named = {case.name for case in artifact.cases}
    rest = [line for fault, line in faults if fault.case not in named]
    if rest:  # on the data
        tests.append(_Test("data", tuple(rest)))
    tests += list(map(_output_test, artifact.outputs))
    tests += [_Test("reference, of rounded matrices", told=line) for line in reference_lines(artifact)]
    for check in artifact.checks:
        failures = (check.detail,) if check.ok is False else ()
        tests.append(
            _Test(f"check {check.name}", failures, None if check.ok is not None else check.detail, check.detail)
        )
    for metric in artifact.metrics:
        tests.append(_Test(f"metric {metric.metric}", () if metric.ok else (metric.told(),), told=metric.told()))
    if not artifact.ok and not any(test.failures for test in tests):
        tests.append(_Test("something was compared", ("no output was compared",)))
    return tests


def _output_test(output: OutputResult) -> _Test:
    name = f"output {output.output} at {output.places} places"
    if not output.count:
        return _Test(name, () if output.ok else ("nothing was compared",), "there are none" if output.ok else None)
    told = (
        f"max error {output.error:.2e}, limit {output.limit:.2e} ({share_of_limit(output):.0%}), e0 {output.e0:.2e}, "
        f"SNR {output.snr_db:.1f} dB, cosine {output.cosine:.6f}, gain {output.gain:.4f}, {output.flips} of "
        f"{output.decisions} decisions flip, {output.clear_flips} clearly; the largest error is in the case "
        f"{output.worst_case or 'none'}"
    )
    return _Test(name, () if output.ok else (told,), told=told)


def _counts(tests: Sequence[_Test]) -> dict[str, str]:
    return {
        "tests": str(len(tests)),
        "failures": str(sum(bool(test.failures) for test in tests)),
        "errors": "0",
        "skipped": str(sum(test.skipped is not None for test in tests)),
    }


def _properties(suite: ElementTree.Element, report: ParityReport) -> None:
    properties = ElementTree.SubElement(suite, "properties")
    told = {"seed": report.seed, "quick": report.quick, "checkpoint sha256": report.source.sha256, **report.environment}
    for name, value in told.items():
        ElementTree.SubElement(properties, "property", _clean({"name": name, "value": str(value)}))


def _add(suite: ElementTree.Element, suite_name: str, test: _Test) -> None:
    element = ElementTree.SubElement(
        suite, "testcase", _clean({"name": test.name, "classname": suite_name, "time": "0"})
    )
    if test.failures:
        failure = ElementTree.SubElement(
            element, "failure", _clean({"message": test.failures[0], "type": "ParityMiss"})
        )
        failure.text = _writable("\n".join(test.failures))
    elif test.skipped is not None:
        ElementTree.SubElement(element, "skipped", _clean({"message": test.skipped}))
    if test.told:
        ElementTree.SubElement(element, "system-out").text = _writable(test.told)


def _clean(attributes: dict[str, str]) -> dict[str, str]:
    return {name: _writable(value) for name, value in attributes.items()}


def _writable(text: str) -> str:
    """Return the text with a replacement character for what XML cannot hold, escaped or not."""
    return _UNWRITABLE.sub("\ufffd", text)
