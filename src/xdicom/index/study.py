"""What the nodes of a study are: series, the arrays that each makes, and images of slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdicom import errors
from xdicom.errors import NotDicomError, SourceError
from xdicom.index.catalog import Catalog, Problem
from xdicom.index.series_names import series_name, unique_name
from xdicom.index.slides import arrange_with_slides
from xdicom.model.grid import FrameGrid, TileGrid


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What the nodes of a study are, before any array is made."""

    attrs: dict[str, object]
    """Attributes of the root: problems and notes."""
    nodes: list[tuple[str, dict[str, object], FrameGrid | TileGrid | None]]
    """Path, attributes and frames of each node; a series of several arrays has none itself."""


def plan_study(catalog: Catalog) -> StudyPlan:
    """Nodes of the tree of all series of a catalog, with readable unique names.

    Raises
    ------
    NotDicomError
        If there are no frames.
    """
    require_frames(catalog)
    nodes: list[tuple[str, dict[str, object], FrameGrid | TileGrid | None]] = []
    taken: dict[str, object] = {}
    # By what headers say, so that names that are taken go to the same series wherever files lie.
    for series in sorted(catalog.series, key=lambda each: (each.number is None, each.number or 0, each.modality, each.series_uid)):
        arrangement, slides = arrange_with_slides(catalog.pick(series.series_uid))
        name = unique_name(series_name(series), taken)
        taken[name] = series
        attrs: dict[str, object] = {
            "series_instance_uid": series.series_uid, "modality": series.modality, "series_description": series.description,
            "notes": arrangement.notes,
        }  # fmt: skip
        if len(arrangement.grids) == 1 and not slides:
            nodes.append((f"/{name}", attrs, arrangement.grids[0]))
            continue
        nodes.append((f"/{name}", attrs, None))
        nodes.extend((f"/{name}/{grid.name}", {}, grid) for grid in slides)
        nodes.extend((f"/{name}/{grid.name}", {"split_by": grid.attrs.get("split_by", [])}, grid) for grid in arrangement.grids)
    return StudyPlan({"problems": told(catalog.problems), "notes": told(catalog.notes)}, nodes)


def told(found: Sequence[Problem]) -> list[str]:
    """Sources, and what is to be said of each, a sentence each."""
    return [f"{problem.url}: {problem.reason}" for problem in found]


def require_frames(catalog: Catalog) -> None:
    """Raise what the sources of an empty catalog say."""
    if len(catalog.frames):
        return
    if not catalog.source_count:
        raise SourceError("nothing to open: the location holds no files")
    kinds = {problem.kind for problem in catalog.problems}
    kind = getattr(errors, kinds.pop()) if len(kinds) == 1 else NotDicomError
    raise kind(f"no frames found: {catalog.describe_problems()}")
