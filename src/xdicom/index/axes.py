"""Extra axes: what varies where several planes lie at one place.

1. A cell begins as one place. While a cell holds several planes, the first attribute (in a fixed order) that has the same
   values in every cell, each equally often, becomes an axis and divides the cells.
2. Where none does, the first clock (or Instance Number) with as many distinct values in each cell becomes an axis by rank.
3. Where that fails too the cells are unequal: the planes stay on one flat axis, and what is missing is said.
4. The axis is named by what it means, not by what told the planes apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xdicom.index.candidates import TIME_TOLERANCE_S, Candidate, by_first_occurrence, candidates_of, diffusion_labels, number_labels
from xdicom.index.clocks import SECONDS_PER_DAY, Clock, acquisition_clock, content_clock, diffusion_of
from xdicom.index.records import Records
from xdicom.model.grid import Axis, Diffusion

MOST_MISSING = 1000
"""Missing cells that are listed."""
MOST_CELLS = 1 << 24
"""Cells of a grid: more are no grid of what anyone scanned."""


@dataclass(slots=True, eq=False)
class Division:
    """How planes are divided by axes beside their place."""

    axes: list[tuple[Axis, np.ndarray]] = field(default_factory=list)
    """Each axis with the step of every plane on it."""
    is_complete: bool = True
    """Whether every cell holds exactly one plane."""
    attrs: dict[str, object] = field(default_factory=dict)
    """What is missing, where it is not."""
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    """Number of each plane on the axis that would divide them, by its name, where no header value is that number."""


def divide(records: Records, place: np.ndarray) -> Division:
    """Axes that tell apart the planes at each place."""
    cell = place.astype(np.int64)
    count = int(cell.max()) + 1
    if np.bincount(cell, minlength=count).max() == 1:
        return Division()
    diffusion = diffusion_of(records)
    weights = diffusion_labels(records, diffusion) if diffusion is not None else None
    candidates = candidates_of(records, diffusion, weights)
    division = Division()
    while True:
        chosen = next((candidate for candidate in candidates if _is_grid(cell, count, candidate.labels)), None)
        axis: Axis
        if chosen is not None:
            axis, labels = _meaning(records, place, chosen, diffusion, weights, is_rank=False)
        else:
            ranked = _by_rank(records, cell, count)
            if ranked is None:
                division.is_complete = False
                division.attrs, division.steps = _what_is_missing(records, place, candidates)
                return division
            name, labels = ranked
            axis, labels = _meaning(records, place, Candidate(name, labels, None), diffusion, weights, is_rank=True)
        division.axes.append((_unique_name(axis, division), labels))
        steps = int(labels.max()) + 1
        cell, count = cell * steps + labels, count * steps
        if len(cell) == count:
            division.axes.sort(key=lambda entry: entry[0].name not in _OUTERMOST)
            return division


_OUTERMOST = ("time", "trigger_time", "cardiac_phase", "repetition", "acquisition")


def _unique_name(axis: Axis, division: Division) -> Axis:
    taken = {other.name for other, _ in division.axes}
    name, number = axis.name, 2
    while name in taken:
        name, number = f"{axis.name}_{number}", number + 1
    return Axis(name, axis.values, axis.attrs)


def _is_grid(cell: np.ndarray, count: int, labels: np.ndarray) -> bool:
    """Whether every cell has the same values, each equally often, and more than one of them."""
    steps = int(labels.max()) + 1
    if steps < 2 or count * steps > len(cell):
        return False
    counts = np.bincount(cell * steps + labels, minlength=count * steps)
    return bool((counts == counts[0]).all() and counts[0] > 0)


def _by_rank(records: Records, cell: np.ndarray, count: int) -> tuple[str, np.ndarray] | None:
    """Attribute that has equally many distinct values in each cell, and the rank of each plane's value in its cell."""
    instance = records.numbers("instance_number")
    is_one_object = records.is_one_instance
    sources = [
        ("time", acquisition_clock(records).seconds),
        ("time", content_clock(records).seconds),
        ("time", records.numbers("trigger_time")),
        ("time", records.numbers("frame_reference_time")),
        ("repetition", instance),
        ("repetition", records.frames.frame_number[records.row].astype(np.float64)),
    ]
    # Frames of one object have an order; single images of one number have none.
    for name, values in sources if is_one_object else sources[:-1]:
        if not np.isfinite(values).all():
            continue
        _, codes = number_labels(values, TIME_TOLERANCE_S)
        order = np.lexsort((codes, cell))
        is_new = np.empty(len(cell), bool)
        is_new[0] = True
        is_new[1:] = (np.diff(cell[order]) != 0) | (np.diff(codes[order]) != 0)
        distinct = np.bincount(cell[order][is_new], minlength=count)
        if distinct[0] < 2 or (distinct != distinct[0]).any():
            continue
        rank = np.empty(len(cell), np.int64)
        rank[order] = (np.cumsum(is_new) - 1) - np.concatenate([[0], np.cumsum(distinct)[:-1]])[cell[order]]
        if _is_grid(cell, count, rank):
            return name, rank
    return None


def is_function_of(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether planes with equal labels have equal values (`values` are numbers of values)."""
    _, first = np.unique(labels, return_index=True)
    of_label = np.empty(int(labels.max()) + 1, values.dtype)
    of_label[labels[first]] = values[first]
    return bool((of_label[labels] == values).all())


def _meaning(
    records: Records, place: np.ndarray, chosen: Candidate, diffusion: Diffusion | None, weights: np.ndarray | None, *, is_rank: bool
) -> tuple[Axis, np.ndarray]:
    """The axis by its meaning, and the step of each plane on it."""
    labels, steps = chosen.labels, int(chosen.labels.max()) + 1
    may_be_diffusion = chosen.kind in ("temporal_position", "phase_number", "clock", "time", "repetition", "acquisition")
    if may_be_diffusion and diffusion is not None and weights is not None and weights.max() > 0 and is_function_of(weights, labels):
        labels = by_first_occurrence(records, labels)
        return Axis("diffusion", None, {"source": diffusion.source}), labels
    if chosen.kind == "diffusion":
        return Axis("diffusion", None, chosen.attrs), labels
    if chosen.kind in ("temporal_position", "phase_number", "clock", "time", "repetition"):
        for clock, is_start in _clocks(records):
            values = _starts_of(clock.seconds, place, labels) if is_start else _values_on(clock.seconds, labels, steps)
            if values is not None and (np.diff(values) > 0).all():
                name = "time from the earliest plane of the first step to that of each step" if is_start else "time since the first step"
                attrs: dict[str, object] = {"units": "s", "source": clock.source, "long_name": name}
                if clock.is_of_day:
                    attrs["start_time_of_day_s"] = round(float(values[0]) % SECONDS_PER_DAY, 6)
                return Axis("time", np.round(values - values[0], 6), attrs), labels
        if (
            is_rank
            and _rises_with(records.numbers("trigger_time"), place, labels)
            and not _rises_with(acquisition_clock(records).seconds, place, labels)
        ):
            attrs = {"source": "TriggerTime", "long_name": "cardiac phase (ordinal); trigger times differ from plane to plane"}
            return Axis("cardiac_phase", np.arange(steps), attrs), labels
        if chosen.kind == "time" and not is_rank:
            return Axis("time", chosen.values, chosen.attrs), labels
        if chosen.kind in ("temporal_position", "phase_number"):
            return Axis("time", chosen.values, {"source": chosen.attrs["source"], "long_name": "temporal position (ordinal)"}), labels
        if chosen.kind == "repetition":
            source = "frame number" if records.is_one_instance else "InstanceNumber"
            return Axis("repetition", np.arange(steps), {"source": source, "long_name": "repetition (ordinal)"}), labels
        return Axis("time", np.arange(steps), {"long_name": "time step (ordinal); clocks differ from plane to plane"}), labels
    return Axis(chosen.kind, chosen.values, chosen.attrs), labels


def _rises_with(values: np.ndarray, place: np.ndarray, labels: np.ndarray) -> bool:
    """Whether the values at each place rise from step to step."""
    if not np.isfinite(values).all():
        return False
    order = np.lexsort((labels, place))
    is_next = (np.diff(place[order]) == 0) & (np.diff(labels[order]) > 0)
    return bool((np.diff(values[order])[is_next] > TIME_TOLERANCE_S).all())


def _clocks(records: Records) -> list[tuple[Clock, bool]]:
    """Clocks in the order in which they are believed, and whether planes of one step may differ.

    The time of content comes last: it often is that of reconstruction.
    """
    acquired = acquisition_clock(records)
    return [
        (acquired, False),
        (Clock(records.numbers("philips_dynamic_time"), "(2005,xxA0) Philips MR Imaging DD 001"), False),
        (Clock(records.numbers("frame_reference_time") / 1000, "FrameReferenceTime"), False),
        (acquired, True),
        (content_clock(records), False),
    ]


def _starts_of(values: np.ndarray, place: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """The earliest value of each step, where values rise from step to step at each place; else None."""
    if not _rises_with(values, place, labels):
        return None
    starts = np.full(int(labels.max()) + 1, np.inf)
    np.minimum.at(starts, labels, values)
    return starts


def _values_on(values: np.ndarray, labels: np.ndarray, steps: int) -> np.ndarray | None:
    """The value of each step, or None where it is not the same for all its planes."""
    if not np.isfinite(values).all():
        return None
    low, high = np.full(steps, np.inf), np.full(steps, -np.inf)
    np.minimum.at(low, labels, values)
    np.maximum.at(high, labels, values)
    return low if (high - low <= TIME_TOLERANCE_S).all() else None


def _what_is_missing(records: Records, place: np.ndarray, candidates: list[Candidate]) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Why the planes make no grid: the attribute that would, the cells that it leaves empty, and steps that no header states."""
    counts = np.bincount(place)
    attrs: dict[str, object] = {
        "incomplete": f"places hold {counts.min()} to {counts.max()} planes that no attribute arranges in a full grid"
    }
    for candidate in [*candidates, *_by_instance_number(records, place, counts)]:
        steps = int(candidate.labels.max()) + 1
        cells = place * steps + candidate.labels
        if steps <= 2 * counts.max() and steps * len(counts) <= MOST_CELLS and len(np.unique(cells)) == len(cells):
            empty = np.setdiff1d(np.arange(len(counts) * steps), cells)
            attrs["incomplete"] = f"{len(cells)} of {len(counts) * steps} cells of {candidate.kind} x place are filled"
            attrs["missing_axis"] = candidate.kind
            attrs["missing_cells"] = [[int(cell % steps), int(cell // steps)] for cell in empty[:MOST_MISSING]]
            if candidate.values is not None:
                attrs["missing_values"] = [_plain(candidate.values[cell % steps]) for cell in empty[:MOST_MISSING]]
            return attrs, {candidate.kind: candidate.labels} if candidate.kind in ("repetition", "diffusion") else {}
    usual = int(np.bincount(counts).argmax())
    attrs["odd_places"] = [[int(each), int(counts[each])] for each in np.flatnonzero(counts != usual)[:MOST_MISSING]]
    return attrs, {}


def _plain(value: np.generic) -> object:
    """The value as JSON has it: None for a number that is none."""
    plain: object = np.asarray(value).item()
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def _by_instance_number(records: Records, place: np.ndarray, counts: np.ndarray) -> list[Candidate]:
    """Repetitions as Instance Number would count them: one volume behind the other, or one place behind the other.

    Believed only where the number that is left over tells the place, as in runs that were aborted or lost a few files.
    """
    instance = records.numbers("instance_number")
    if not np.isfinite(instance).all():
        return []
    number = (instance - instance.min()).astype(np.int64)
    found = []
    for step, rest in ((number // len(counts), number % len(counts)), (number % counts.max(), number // counts.max())):
        if step.max() <= 2 * counts.max() and is_function_of(place, np.unique(rest, return_inverse=True)[1].reshape(-1)):
            found.append(Candidate("repetition", step, np.arange(int(step.max()) + 1), {"source": "InstanceNumber"}))
    return found
