"""For the examples in docstrings: the package is imported as a whole before pytest imports one of its modules by itself."""

import xdicom  # noqa: F401
