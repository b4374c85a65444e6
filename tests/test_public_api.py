"""The public names are few, documented, and cheap to import."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import xdicom
from xdicom import errors
from xdicom.accessor import DicomAccessor, DicomTreeAccessor

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
PUBLIC = [name for name in xdicom.__all__ if name != "__version__"]
METHODS = [name for name in vars(DicomAccessor) if not name.startswith("_")]
CALLS = [
    value for accessor in (DicomAccessor, DicomTreeAccessor) for name, value in vars(accessor).items()
    if inspect.isfunction(value) and not name.startswith("_")
]  # fmt: skip


def test_public_names_are_the_documented_ones() -> None:
    pages = "\n".join((REFERENCE / name).read_text(encoding="utf-8") for name in ("api.md", "accessor.md", "errors.md"))
    documented = re.findall(r"^\.\. auto(?:function|class|exception|data):: (\S+)", pages, re.MULTILINE)

    assert sorted(documented) == sorted(xdicom.__all__)


def test_every_error_is_public() -> None:
    assert set(errors.__all__) <= set(xdicom.__all__)


def test_nothing_else_is_public() -> None:
    ours = {name for name, value in vars(xdicom).items() if not name.startswith("_") and not inspect.ismodule(value)}

    assert ours - set(xdicom.__all__) - {"annotations"} == set()


@pytest.mark.parametrize("name", PUBLIC)
def test_public_object_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(xdicom, name))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_object_is_annotated(name: str) -> None:
    value = getattr(xdicom, name)
    if not inspect.isfunction(value):
        return
    signature = inspect.signature(value)
    without = [p.name for p in signature.parameters.values() if p.annotation is p.empty]

    assert without == []
    assert signature.return_annotation is not signature.empty
    assert not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())


@pytest.mark.parametrize("name", METHODS)
def test_method_of_the_accessor_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(DicomAccessor, name))


@pytest.mark.parametrize("method", CALLS, ids=lambda method: method.__qualname__)
def test_method_of_an_accessor_tells_of_each_of_its_parameters_and_of_no_array(method: Callable[..., object]) -> None:
    self, *parameters = inspect.signature(method).parameters
    _, _, listed = (inspect.getdoc(method) or "").partition("Parameters\n----------\n")
    told = re.findall(r"^(\S.*)\n    ", listed.partition("\n\n")[0], re.MULTILINE)

    assert self == "self"
    assert [each.lstrip("*") for line in told for each in line.split(", ")] == parameters


def test_accessor_has_the_methods_that_the_pages_name() -> None:
    assert {"to_modality", "to_display", "to_rgb", "to_zarr", "affine", "header"} <= set(METHODS)


def test_version_is_that_of_the_distribution() -> None:
    assert xdicom.__version__ == importlib.metadata.version("xdicom")


def test_import_leaves_out_what_is_slow_or_optional() -> None:
    code = "import sys, xdicom; print(*sorted({'pydicom', 'matplotlib', 'typer', 'rich', 'distributed'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert loaded == []


def test_package_carries_its_types() -> None:
    assert (Path(xdicom.__file__).parent / "py.typed").is_file()
