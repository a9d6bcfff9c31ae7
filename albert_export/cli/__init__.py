"""The command line: parse, call, print. What the commands do lies in the modules they call."""

from __future__ import annotations

from albert_export.cli.program import program

__all__ = ["main", "program"]


def main() -> None:
    """Run ``albert-export`` with the arguments of the process, and exit with its status."""
    program.main(prog_name="albert-export")
