"""Writes to directories that belong to somebody else, as a user without rights; run as a program of its own.

It gives up root's rights when it has them, because permissions do not bind root. Prints what each place answered, as
JSON.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from albert_export.bundle import Bundle
from albert_export.errors import BundleError
from tests.bundle.builders import names, write_bundle


def main() -> dict[str, str]:
    answers = {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        closed = root / "closed"
        write_bundle(closed / "qa")
        hidden = write_bundle(root / "hidden").path
        open_parent = root / "open"
        open_parent.mkdir()
        open_parent.chmod(0o777)
        closed.chmod(0o555)
        (hidden / "config.json").chmod(0)
        user = os.fork()
        if user:
            os.waitpid(user, 0)
            closed.chmod(0o755)
            return json.loads((open_parent / "answers.json").read_text())  # type: ignore[no-any-return]
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        for told, attempt in {
            "replace": lambda: write_bundle(closed / "qa"),
            "new": lambda: write_bundle(closed / "new"),
            "deep": lambda: write_bundle(closed / "a/b/new"),
            "read": lambda: Bundle.open(closed / "qa"),
            "hidden": lambda: Bundle.open(hidden),
            "allowed": lambda: write_bundle(open_parent / "qa"),
        }.items():
            try:
                attempt()
                answers[told] = "done"
            except BundleError as error:
                answers[told] = str(error)
        answers["left"] = " ".join(names(closed))
        (open_parent / "answers.json").write_text(json.dumps(answers))
        os._exit(0)


if __name__ == "__main__":
    print(json.dumps(main()))
