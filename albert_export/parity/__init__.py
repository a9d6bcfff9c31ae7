"""Parity: does an artifact compute what the eager model computes, and if not, where does it first diverge?"""

from albert_export.parity.check import check_parity
from albert_export.parity.record import record_parity
from albert_export.parity.report import FORMS, REPORT_FILES, ParityReport, write_reports

__all__ = ["FORMS", "REPORT_FILES", "ParityReport", "check_parity", "record_parity", "write_reports"]
