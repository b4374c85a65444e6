"""References to frames in icechunk, which notices when a source has changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr

from xdicom.errors import MissingDependencyError, SourceError
from xdicom.export.references import fingerprint_of_references
from xdicom.export.slide_references import references_of
from xdicom.export.virtual_zarr import STEP, file_url
from xdicom.export.zarr_labels import portable, write_labels
from xdicom.export.zarr_marks import is_labelled
from xdicom.export.zarr_pipelines import own_pipeline
from xdicom.export.zarr_values import Written
from xdicom.lazy.blocks import Report

if TYPE_CHECKING:
    from icechunk import IcechunkStore  # type: ignore[import-not-found,unused-ignore]


def write_icechunk(array: xr.DataArray, store: IcechunkStore, *, group: str = "") -> int:
    """References to the frames of an array in an icechunk store, which the caller commits; how many there are.

    Parameters and errors are those of `add_to_icechunk`.
    """
    return add_to_icechunk(array, store, group=group).blocks


@own_pipeline()
def add_to_icechunk(
    array: xr.DataArray, store: IcechunkStore, *, group: str = "", resume: bool = False, progress: Report | None = None
) -> Written:
    """References to the frames of an array in an icechunk store, which the caller commits.

    Sources are noted with their state: reading one that has changed since is an error of icechunk, other than on web servers.

    Parameters
    ----------
    array
        `stored_values` whose series was opened in this process.
    store
        Store of a writable session whose repository has a virtual chunk container for the place of the sources.
    group
        Path of the group that the array comes into.
    resume
        Leave an array that is there as it is, where it refers to the same frames in the same state.
    progress
        Told of references made, and their number.

    Returns
    -------
    Written
        References that were written, or were there.

    Raises
    ------
    SourceError
        If the repository has no container for a source, what is there to resume refers to something else, or as `references.references_of`.
    InconsistentSeriesError, UnsupportedEncodingError, PixelDataError
        As `references.references_of`.
    """
    try:
        from icechunk import VirtualChunkSpec  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("references in icechunk need icechunk: pip install 'xdicom[virtual]'") from error
    references = references_of(array)
    root, whole, name = zarr.open_group(store, path=group, mode="a", zarr_format=3), portable(array), str(array.name)
    fingerprint, count = fingerprint_of_references(whole, references), int((references.source >= 0).sum())
    if resume and is_labelled(root, name, fingerprint):
        return Written(0, count, 0)
    write_labels(root, whole, references.encoding, fingerprint=fingerprint, state="complete")
    marks = [_state(url, stamp) for url, stamp in zip(references.urls, references.stamps, strict=True)]
    urls = [file_url(url, encoded=True) for url in references.urls]
    specs = [
        VirtualChunkSpec(list(index), urls[source], int(references.offset[index]), int(references.length[index]), **marks[source])
        for index in np.ndindex(references.source.shape)
        if (source := int(references.source[index])) >= 0
    ]
    path, failed = f"{group.strip('/')}/{name}".strip("/"), []
    for first in range(0, len(specs), STEP):
        failed += store.set_virtual_refs(path, specs[first : first + STEP]) or []
        if progress is not None:
            progress(min(first + STEP, len(specs)), len(specs))
    if failed:
        missing = set(map(tuple, failed))
        shown = next(spec.location for spec in specs if tuple(spec.index) in missing)
        raise SourceError(
            f"the repository has no virtual chunk container for {len(failed)} of {len(specs)} frames, such as those in {shown}"
        )
    return Written(count, 0, array.nbytes)


def _state(url: str, stamp: str) -> dict[str, Any]:
    """Change marker of a source as icechunk has it: the end of the second of its last change, or its etag; none on the web.

    For web servers icechunk 2.3 takes every etag for another one, and looks at no time.
    """
    if url.startswith(("http://", "https://")):
        return {}
    if stamp.isdigit():
        return {"last_updated_at_checksum": datetime.fromtimestamp(int(stamp) // 10**9, UTC) + timedelta(seconds=1)}
    if stamp.startswith(('"', "W/")):
        return {"etag_checksum": stamp}
    try:
        return {"last_updated_at_checksum": datetime.fromisoformat(stamp)} if stamp else {}
    except ValueError:
        return {"etag_checksum": stamp}
