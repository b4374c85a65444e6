"""What is to be written: what a person said, and all that follows from it and from the array before any pixel is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from xdicom.export.dicom_elements import Elements
from xdicom.export.dicom_parsing import parse_header
from xdicom.export.dicom_pixels import Form, Rescale
from xdicom.model.frames import FrameRefs
from xdicom.sources.options import PublicOptions
from xdicom.sources.ranges import read_range


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person said."""

    transfer_syntax: str | None = None
    loss: float | None = None
    rescale: tuple[float, float] | str | None = None
    bits_stored: int | None = None
    series_description: str | None = None
    series_number: int | None = None
    derivation: str | None = None
    attributes: Mapping[str, Any] | None = None
    uid_seed: str | None = None
    keep_uids: bool = False
    series_uid: str | None = None
    """New Series Instance UID that several arrays share; one of its own where there is none."""
    instance_number: int = 1
    """Instance Number of the one instance of a slide's image."""
    pyramid_uid: str | None = None
    """Pyramid UID that the levels of a slide share."""
    is_measured: bool = False
    """Whether values are looked at before slopes are chosen, since they are not those that the source stored."""


class HeaderPlace(Protocol):
    """Where the header of a source instance lies."""

    def read(self) -> Elements:
        """The header's elements."""


@dataclass(frozen=True, slots=True)
class Place:
    """The header of a source instance in its file."""

    url: str
    """Its source."""
    length: int
    """Bytes up to its first frame."""

    def read(self) -> Elements:
        """The header's elements."""
        return parse_header(read_range(self.url, 0, self.length))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All that is written for some planes, besides their values: frozen, picklable, and cut to the planes of a task."""

    rows: np.ndarray
    """Number of each plane among all of the array."""
    uids: tuple[str, ...]
    """SOP Instance UID of each plane's new instance."""
    form: Form
    """How values are stored."""
    headers: tuple[HeaderPlace | None, ...] | None
    """Header of each plane's own source; None where planes have none, and `template` is used."""
    template: Elements
    """Header for planes without their own."""
    shared: Elements
    """Elements of all instances, set above those of the header."""
    dropped: frozenset[int]
    """Tags that are left out."""
    positions_mm: np.ndarray | None
    """Centre of the first pixel of each plane [mm]; shape `(planes, 3)`."""
    orientation: tuple[float, ...] | None
    """Six direction cosines."""
    spacing_mm: tuple[float, float] | None
    """Distances of rows and of columns."""
    step_mm: float | None
    """Distance of slices."""
    instance_number: np.ndarray
    """Instance Number of each plane."""
    labels: Mapping[str, np.ndarray]
    """Values of each plane by keyword; NaN where a plane has none."""
    windows: np.ndarray | None
    """Centers and widths of each plane; shape `(planes, 2, windows)`."""
    rescale: Rescale | None
    """Slope and intercept of each plane that are written; None where the header's stay."""
    sources: tuple[tuple[str, str] | None, ...]
    """SOP Class and Instance UID of the instance that each plane was made of."""
    applies_rescale: bool = False
    """Whether values are stored through `rescale`; stored values are as they are."""
    is_attempt: bool = False
    """Whether values are stored through `rescale` only if they are what the source stored, within their own precision."""
    is_derived: bool = True
    """Whether instances get a new identity and are marked as derived."""
    is_rescaled: bool = False
    """Whether stored values are others than those of the source."""
    is_cut: bool = False
    """Whether planes are tiles of the source's frames: what vendors say of the whole does not hold."""
    repeats: bool = False
    """Whether a frame of the source fills several planes: labels tell these apart, not their headers."""
    lossy: str = ""
    """Method of a lossy compression that is applied; empty where nothing is lost."""
    changed: tuple[str, ...] = ()
    """Coordinates that say otherwise than the headers of their planes."""
    restated: frozenset[str] = frozenset()
    """Keywords of elements that are written for these, whether the header has them or not."""
    shifts: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Seconds by which the moments of elements are moved, for each plane."""
    attributes: Elements = field(default_factory=dict)
    """Elements that the person wants, above all others."""
    options: PublicOptions = ()
    """Options of the storage that are no secrets."""

    def take(self, chosen: np.ndarray) -> Plan:
        """The plan for some planes."""
        picked = chosen.tolist()
        return replace(
            self,
            rows=self.rows[chosen],
            uids=tuple(self.uids[i] for i in picked),
            headers=None if self.headers is None else tuple(self.headers[i] for i in picked),
            positions_mm=None if self.positions_mm is None else self.positions_mm[chosen],
            instance_number=self.instance_number[chosen],
            labels={name: values[chosen] for name, values in self.labels.items()},
            shifts={name: values[chosen] for name, values in self.shifts.items()},
            windows=None if self.windows is None else self.windows[chosen],
            rescale=None if self.rescale is None else self.rescale.take(chosen),
            sources=tuple(self.sources[i] for i in picked),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """When the frames were acquired."""

    seconds: np.ndarray
    """Seconds since `start`; float64, shape `(frames,)`."""
    start: str = ""
    """Date and time of 0 in ISO 8601; empty where the labels do not tell."""

    def take(self, rows: np.ndarray) -> Times:
        """Those of some frames."""
        return Times(self.seconds[rows], self.start)


@dataclass(frozen=True, slots=True)
class WrittenDicom:
    """What an export did."""

    instances: int
    """Files that were written."""
    frames: int
    """Planes in them."""
    bytes: int
    """Bytes of the files."""
    series_instance_uid: str
    """Series that they belong to."""
    max_error: float
    """Largest difference between a value and what the file gives back through its slope; 0 for stored values."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesPlan:
    """All that is written."""

    plan: Plan
    """Of every plane."""
    frame_dims: int
    """Dimensions of the array that count planes."""
    series_uid: str
    """Series Instance UID."""
    frames_of: tuple[np.ndarray, ...] | None
    """Planes of each multi-frame instance; None for single-frame instances."""
    refs: FrameRefs | None
    """Frames that the planes must equal, where their identity is kept."""
    source_frames: tuple[tuple[str, str, int], ...] = ()
    """SOP Class and Instance UID and number of the source frame of each plane, where the source was multi-frame."""
    places: tuple[HeaderPlace | None, ...] | None = None
    """Header of each plane's source."""
    steps: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Step of each plane along the dimensions that count planes."""
    times: Times | None = None
    """Time of each plane."""
    states_window: bool = False
    """Whether a window is stated that shows all values."""

    def done(self, size: int, error: float) -> WrittenDicom:
        """What was done when all is written."""
        return WrittenDicom(self.instances, len(self.plan.rows), size, self.series_uid, error)

    @property
    def instances(self) -> int:
        """Number of instances."""
        return len(self.plan.rows) if self.frames_of is None else len(self.frames_of)
