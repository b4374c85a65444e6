"""The house keeps its plan: floors, homes of libraries, sizes and names (docs/explanation/architecture.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "xdicom"
MODULES = sorted(PACKAGE.rglob("*.py"))

FLOORS = [
    ("errors",),
    ("model", "transforms"),
    ("sources", "headers", "pixels"),
    ("index", "lazy"),
    ("labeled",),
    ("export",),
    ("api", "accessor", "virtual"),
    ("backend", "cli", "__init__"),
]
"""Rooms, ground first."""

HOMES = {
    "numpy": ("",),
    "pydicom": ("headers/", "export/dicom_"),
    "numba": ("transforms/compiled",),
    "imagecodecs": ("pixels/codecs", "pixels/encode"),
    "fsspec": ("sources/",),
    "obstore": ("sources/",),
    "urllib3": ("sources/dicomweb",),
    "highdicom": ("export/dicom_segmentation",),
    "dicomanonymizer": ("export/dicom_profile_table",),
    "dask": ("lazy/",),
    "xarray": ("labeled/", "export/", "api", "accessor", "backend", "cli", "__init__"),
    "zarr": ("export/",),
    "virtualizarr": ("export/",),
    "icechunk": ("export/",),
    "typer": ("cli",),
    "rich": ("cli", "index/progress"),
}
"""Where each library may be imported: beginnings of paths within the package."""

IMPORTED_WHEN_NEEDED = {
    "pydicom",
    "fsspec",
    "obstore",
    "urllib3",
    "virtualizarr",
    "icechunk",
    "rich",
    "highdicom",
    "dicomanonymizer",
    "numba",
}
"""Libraries that an import inside a function may bring in: heavy or optional ones, in their home."""

EMPTY_NAMES = {"base", "common", "core", "helper", "helpers", "misc", "tools", "util", "utils"}
"""Names that say nothing about what lies behind them."""


def floor_of(room: str) -> int:
    """Number of the floor that `room` is on."""
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def room_of(module: Path) -> str:
    """Room that the file `module` belongs to."""
    inner = module.relative_to(PACKAGE)
    return inner.parts[0] if len(inner.parts) > 1 else inner.stem


def imports_of(tree: ast.AST) -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
    """Dotted name of each thing that `tree` imports, and the statement that does it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def imports_for_types(tree: ast.AST) -> set[ast.AST]:
    """Import statements of `tree` that serve annotations alone."""
    guarded = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    return {node for block in guarded for statement in block.body for _, node in imports_of(statement)}


def room_named(dotted: str) -> str:
    """Room that an import of `dotted` (xdicom...) enters; the roof for names of the package itself."""
    second = [*dotted.split("."), ""][1]
    return second if any(second in rooms for rooms in FLOORS) else "__init__"


@pytest.fixture(params=MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def module(request: pytest.FixtureRequest) -> Path:
    """Each file of the package."""
    return request.param


@pytest.fixture
def tree(module: Path) -> ast.Module:
    """Its syntax tree."""
    return ast.parse(module.read_text(encoding="utf-8"))


def test_every_file_lies_in_a_room_of_the_plan(module: Path) -> None:
    assert any(room_of(module) in rooms for rooms in FLOORS)


def test_imports_point_downwards(module: Path, tree: ast.Module) -> None:
    room = room_of(module)
    others = {room_named(name) for name, _ in imports_of(tree) if name.split(".")[0] == "xdicom"} - {room}

    assert {other for other in others if floor_of(other) >= floor_of(room)} == set()


def test_imports_are_absolute(tree: ast.Module) -> None:
    relative = [node.lineno for _, node in imports_of(tree) if isinstance(node, ast.ImportFrom) and node.level > 0]

    assert relative == []


def test_each_library_stays_in_its_home(module: Path, tree: ast.Module) -> None:
    place = module.relative_to(PACKAGE).with_suffix("").as_posix()
    for_types = imports_for_types(tree)
    libraries = {name.split(".")[0] for name, node in imports_of(tree) if node not in for_types} - sys.stdlib_module_names - {"xdicom"}

    assert {library for library in libraries if not place.startswith(HOMES.get(library, ()))} == set()


def test_no_import_hides_in_a_function(tree: ast.Module) -> None:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    hidden = {name.split(".")[0] for function in functions for name, _ in imports_of(function)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    called |= {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}

    assert hidden - IMPORTED_WHEN_NEEDED == set()
    assert called & {"__import__", "import_module"} == set()


def test_no_file_is_longer_than_400_lines(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 400


def test_names_of_files_say_what_they_hold(module: Path) -> None:
    names = set(module.relative_to(PACKAGE).with_suffix("").parts)

    assert names & (EMPTY_NAMES | set(HOMES)) == set()


def test_the_page_about_the_house_shows_these_floors() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("|")[2] for line in page.splitlines() if line.startswith("| floor ") and line[8].isdigit()]

    assert [tuple(name.strip(" `") for name in row.split(",")) for row in rows] == list(FLOORS)


def test_the_page_about_the_house_shows_these_homes() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    shown = {line.split("|")[1].strip(" `") for line in page.splitlines() if line.startswith("| `")}

    assert shown == set(HOMES)


def test_the_rule_sees_an_import_upwards() -> None:
    tree = ast.parse("from xdicom import model\nimport xdicom\nfrom xdicom.api import scan")

    assert [room_named(name) for name, _ in imports_of(tree)] == ["model", "__init__", "api"]
