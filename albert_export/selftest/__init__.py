"""Testing the tester: exports that have one thing wrong must miss parity, for every target and precision."""

from albert_export.selftest.report import SelfTestReport
from albert_export.selftest.run import self_test

__all__ = ["SelfTestReport", "self_test"]
