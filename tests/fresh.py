"""What a fresh interpreter does."""

from __future__ import annotations

import os
import subprocess
import sys


def imports(code: str, module: str) -> bool:
    """Whether a fresh interpreter that ran `code` has imported `module`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint({module!r} in sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    return done.stdout.splitlines()[-1] == "True"
