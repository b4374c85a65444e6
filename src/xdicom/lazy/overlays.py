"""Overlay planes as a dask array: each task reads the bits of its own frames, and nothing before it runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.lazy.cells import Array, Chunks, from_cells
from xdicom.lazy.frames import FrameBlock, read_block
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameRefs
from xdicom.sources.options import PublicOptions, public_options, using_options
from xdicom.sources.ranges import read_many
from xdicom.transforms.overlay import Overlay, embedded_plane, place_plane, unpack_plane

KEEPS_CELLS = frozenset({"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"}) | {
    f"1.2.840.10008.1.2.4.{number}" for number in (57, 70, 80, 90, 92, 110, 201, 202)
}
"""Encapsulated transfer syntaxes that keep every bit of a pixel cell (PS3.5 A.4)."""


@dataclass(frozen=True, slots=True, eq=False)
class OverlayPlanes:
    """The overlay planes of many instances, and where their bits lie."""

    overlays: tuple[Overlay, ...]
    """Overlays that differ in anything but their bits."""
    which: np.ndarray
    """Number of each group's overlay in each instance, -1 where it has none; int32, shape `(groups, instances)`."""
    offset: np.ndarray
    """First byte of the bits in the instance, where they are the overlay's own; int64, shape `(groups, instances)`."""
    length: np.ndarray
    """Their number [bytes]; int64, shape `(groups, instances)`."""
    is_swapped: np.ndarray
    """Whether the bytes of each word lie swapped (PS3.5 7.3); bool, shape `(groups, instances)`."""


@dataclass(frozen=True, slots=True, eq=False)
class OverlayBlock:
    """One overlay group on the frames of one task: all that a worker is given."""

    refs: FrameRefs
    """The frames."""
    cell: np.ndarray
    """Row of `refs` for each cell in C order, -1 for a cell without a frame; int64, shape `(cells,)`."""
    planes: OverlayPlanes
    """The group's overlays, one column for each row of `refs`."""
    shape: tuple[int, ...]
    """Shape of the block: `(1, ..., rows, columns)`."""
    options: PublicOptions = ()
    """Options of the storage that are no secrets."""


class OverlayCells:
    """Overlays on frames, of which blocks are cut; the first dimension is that of groups."""

    def __init__(self, refs: FrameRefs, rows: np.ndarray, planes: OverlayPlanes, plane_shape: tuple[int, int]) -> None:
        self.refs, self.rows, self.planes, self.plane_shape = refs, rows, planes, plane_shape
        self.options = public_options(refs.urls)

    def block(self, place: tuple[slice, ...]) -> OverlayBlock:
        """The overlay and the frames of the block at `place`."""
        rows = self.rows[place[1 : 1 + self.rows.ndim]]
        used, cell = np.unique(rows.reshape(-1), return_inverse=True)
        cell = cell.reshape(-1)
        if len(used) and used[0] < 0:
            used, cell = used[1:], cell - 1
        group, source = place[0], self.refs.source[used]
        numbers, which = np.unique(self.planes.which[group, source], return_inverse=True)
        named = tuple(self.planes.overlays[number] for number in numbers.tolist() if number >= 0)
        which = which.reshape(1, -1) - int(len(numbers) != len(named))
        planes = self.planes
        cut = OverlayPlanes(named, which, planes.offset[group, source], planes.length[group, source], planes.is_swapped[group, source])
        return OverlayBlock(self.refs.take(used), cell, cut, (1, *rows.shape, *self.plane_shape), self.options)


def overlays_to_dask(refs: FrameRefs, rows: np.ndarray, planes: OverlayPlanes, chunks: Chunks) -> Array:
    """Overlay planes on the pixels of frames.

    Parameters
    ----------
    refs
        The frames; their `source` is the number of their instance in `planes`.
    rows
        Row of `refs` that fills each cell, -1 where none does; one dimension for each one across frames.
    planes
        The overlays of the instances.
    chunks
        Lengths of the blocks along the dimensions across frames.

    Returns
    -------
    dask.array.Array
        bool, shape `(groups, *rows.shape, image rows, image columns)`: one task for each group and chunk of frames.
        False where an overlay does not lie.

    Raises
    ------
    PixelDataError
        If an embedded overlay is said to lie in a bit of the samples.
    UnsupportedEncodingError
        If embedded overlays lie in cells of which compression has lost bits, or in color.
    """
    used, codes = planes.which[:, refs.source].reshape(-1), np.tile(refs.encoding, len(planes.which))
    for number, code in set(zip(used.tolist(), codes.tolist(), strict=True)):
        if number >= 0 and planes.overlays[number].is_embedded:
            check_embedded(planes.overlays[number], refs.encodings[code])
    encoding = refs.encodings[0]
    plane_shape = (encoding.rows, encoding.columns)
    cells = OverlayCells(refs, rows, planes, plane_shape)
    lengths = ((1,) * len(planes.which), *chunks)
    return from_cells(read_overlays, cells, lengths, plane_shape, np.dtype(bool), name="overlays", token=_fingerprint(cells))


def check_embedded(overlay: Overlay, encoding: PixelEncoding) -> None:
    """Refuse an embedded overlay that can't lie where the header says.

    Raises
    ------
    PixelDataError
        If its bit is one of the samples', or beyond the cell.
    UnsupportedEncodingError
        If the cells are gone, or it lies in color.
    """
    what = f"overlay {overlay.group:04X} is said to lie in bit {overlay.bit_position} of the pixel cells"
    if encoding.samples_per_pixel > 1 or encoding.dtype.kind == "f":
        raise UnsupportedEncodingError(f"{what}, which is read for grayscale integers only")
    if encoding.is_encapsulated and encoding.transfer_syntax_uid not in KEEPS_CELLS:
        raise UnsupportedEncodingError(f"{what}, which a lossy transfer syntax ({encoding.transfer_syntax_uid}) does not keep")
    lowest = encoding.high_bit + 1 - encoding.bits_stored
    if lowest <= overlay.bit_position <= encoding.high_bit or overlay.bit_position >= encoding.bits_allocated:
        raise PixelDataError(
            f"{what}, of which {encoding.bits_allocated} are allocated and {lowest} to {encoding.high_bit} are the sample: "
            "the header is wrong"
        )


def read_overlays(block: OverlayBlock) -> np.ndarray:
    """Overlay planes of one task; bool, shape `block.shape`.

    Raises
    ------
    PixelDataError
        If there are fewer bits than the overlay's size needs.
    SourceError
        If storage does not answer, or a source changed since it was scanned.
    """
    rows, columns = block.shape[-2:]
    on_frames = np.zeros((len(block.refs), rows, columns), bool)
    own: list[int] = []
    embedded: list[int] = []
    for i, number in enumerate(block.planes.which[0].tolist()):
        if number < 0 or block.planes.overlays[number].plane_on(int(block.refs.frame_number[i])) is None:
            continue
        (embedded if block.planes.overlays[number].is_embedded else own).append(i)
    if own:
        with using_options(block.options):
            _read_own(block, own, on_frames)
    if embedded:
        _read_embedded(block, embedded, on_frames)
    if len(on_frames) == len(block.cell) and (block.cell == np.arange(len(block.cell))).all():
        return on_frames.reshape(block.shape)
    out = np.zeros((len(block.cell), rows, columns), bool)
    there = block.cell >= 0
    out[there] = on_frames[block.cell[there]]
    return out.reshape(block.shape)


def _read_own(block: OverlayBlock, frames: list[int], out: np.ndarray) -> None:
    """Read the overlays that have bits of their own on `frames`."""
    refs, planes = block.refs, block.planes
    offsets, lengths, leads = [], [], []
    for i in frames:
        overlay, url = planes.overlays[planes.which[0, i]], refs.urls[refs.source[i]]
        plane = overlay.plane_on(int(refs.frame_number[i]))
        assert plane is not None
        first, count = overlay.bits_of(plane)
        unit = 2 if planes.is_swapped[0, i] else 1
        start, end = first // (8 * unit) * unit, -(-(first + count) // (8 * unit)) * unit
        if end > planes.length[0, i]:
            raise PixelDataError(
                f"overlay {overlay.group:04X} of {overlay.rows} x {overlay.columns} needs {end} bytes up to its frame {plane + 1}, "
                f"its data has {planes.length[0, i]} (in {url})"
            )
        offsets.append(int(planes.offset[0, i]) + start)
        lengths.append(end - start)
        leads.append(first - 8 * start)
    urls, stamps = [refs.urls[refs.source[i]] for i in frames], [refs.stamps[refs.source[i]] for i in frames]
    for i, data, length, lead in zip(frames, read_many(urls, offsets, lengths, stamps), lengths, leads, strict=True):
        overlay = planes.overlays[planes.which[0, i]]
        if len(data) < length:
            url = refs.urls[refs.source[i]]
            raise PixelDataError(f"overlay {overlay.group:04X}: {length} bytes expected, {len(data)} are there: it is cut short (in {url})")
        if planes.is_swapped[0, i]:
            data = np.frombuffer(data, np.uint16).byteswap().tobytes()
        place_plane(unpack_plane(data, overlay.rows, overlay.columns, lead), overlay.origin, out[i])


def _read_embedded(block: OverlayBlock, frames: list[int], out: np.ndarray) -> None:
    """Read the pixel cells of `frames`, all their bits, and take the overlay's one."""
    refs = block.refs.take(np.array(frames))
    whole = tuple(replace(e, bits_stored=e.bits_allocated, high_bit=e.bits_allocated - 1, is_signed=False) for e in refs.encodings)
    refs = replace(refs, encodings=whole)
    shape = (len(frames), *out.shape[1:])
    cells = read_block(FrameBlock(refs, shape, whole[0].dtype, np.arange(len(frames), dtype=np.int32), options=block.options))
    for i, plane in zip(frames, cells, strict=True):
        out[i] = embedded_plane(plane, block.planes.overlays[block.planes.which[0, i]].bit_position)


def _fingerprint(cells: OverlayCells) -> str:
    """What tells these overlays from any others: sources, places and forms, no credentials."""
    refs, planes = cells.refs, cells.planes
    digest = hashlib.blake2b(digest_size=16)
    texts = (*refs.urls, "", *refs.stamps, *map(repr, refs.encodings), *map(repr, planes.overlays))
    digest.update("\n".join(texts).encode("utf-8", "surrogatepass"))
    for array in (refs.source, refs.encoding, refs.offset, refs.frame_number, cells.rows, planes.which, planes.offset, planes.length):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
