"""Settings of the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import xdicom

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "xdicom"
author = "the xdicom contributors"
copyright = "2026, the xdicom contributors"
release = version = xdicom.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "changes"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autosummary_generate = False
napoleon_numpy_docstring = True
napoleon_google_docstring = False

html_theme = "furo"
html_title = "xdicom"


def with_fragments(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the fragments of `changes/` into the changelog, the newest release first."""
    if docname != "changelog":
        return
    fragments = [path for path in Path(app.srcdir, "changes").glob("*.md") if path.stem != "README"]
    releases: dict[str, list[str]] = {}
    for path in sorted(fragments):
        releases.setdefault(path.name.partition("-")[0], []).append(path.read_text(encoding="utf-8"))
    newest_first = sorted(releases, key=lambda release: [int(number) for number in release.split(".")], reverse=True)
    # A fragment lies one folder deeper than the page that it becomes a part of.
    source[0] += "".join(f"\n## {release}\n\n" + "\n".join(releases[release]).replace("](../", "](") for release in newest_first)


def setup(app: Sphinx) -> None:
    """Hook into the build."""
    app.connect("source-read", with_fragments)
