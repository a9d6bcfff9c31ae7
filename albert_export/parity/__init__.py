"""Parity: does an artifact compute what the eager model computes, and if not, where does it first diverge?"""

from albert_export.parity.check import check_parity
from albert_export.parity.forms import FORMS, REPORT_FILES, write_reports, write_unchecked
from albert_export.parity.record import record_parity
from albert_export.parity.regression import compare_reports, read_old_report
from albert_export.parity.report import ParityReport

__all__ = [
    "FORMS",
    "REPORT_FILES",
    "ParityReport",
    "check_parity",
    "compare_reports",
    "read_old_report",
    "record_parity",
    "write_reports",
    "write_unchecked",
]
