"""What tells one array's export from another's, and a source from what it was when it was exported."""

from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr

from xdicom.export.zarr_labels import labels_text
from xdicom.labeled.origins import locate_frames


def fingerprint_of(array: xr.DataArray) -> str:
    """Digest of the labels of a portable array and of what its values are made of, as far as this process knows.

    Values from DICOM are known by the lengths, sizes and change markers of their sources: no pixel is read. Values in
    memory are known by themselves. Where neither is known, the labels alone count.
    """
    digest = hashlib.sha256(labels_text(array).encode())
    if isinstance(array.data, np.ndarray):
        digest.update(np.ascontiguousarray(array.data).data)
        return digest.hexdigest()
    found = locate_frames(array)
    if found is not None:
        frames, rows = found
        instances, row = frames.instances, np.maximum(rows.reshape(-1), 0)
        instance = frames.instance[row]
        marks = [f"{instances.sizes[i]} {instances.stamps[i]}" for i in range(len(instances))]
        lines = zip(rows.reshape(-1).tolist(), frames.length[row].tolist(), instance.tolist(), strict=True)
        digest.update("\n".join(f"{length} {marks[i]}" if number >= 0 else "-" for number, length, i in lines).encode())
    return digest.hexdigest()
