"""Trees of labelled arrays to DICOM: a study or a slide that comes back as the same tree."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import xarray as xr

from xdicom.errors import XDicomError
from xdicom.export.dicom_files import write_choices
from xdicom.export.dicom_plan import Choices, WrittenDicom
from xdicom.export.dicom_planning import WRITTEN, check_kind, new_uids
from xdicom.export.dicom_slides import form_of_tiles, is_slide_image
from xdicom.lazy.blocks import Report
from xdicom.sources.folders import folder_at

_LEVEL = re.compile(r"level_\d+")


def write_dicom_tree(
    tree: xr.DataTree,
    directory: str | os.PathLike[str],
    *,
    transfer_syntax: str | None = None,
    loss: float | None = None,
    derivation: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    uid_seed: str | None = None,
    keep_uids: bool = False,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    progress: bool | Report = True,
) -> dict[str, WrittenDicom]:
    """Write every array of a tree as DICOM, each in a folder named as its node.

    Arrays that came from one series go into one new series again: the stacks of a series, and the levels of a slide with its label
    and overview, whose levels share a new Pyramid UID. `xdicom.open_study(directory)` opens them all.

    Parameters
    ----------
    tree
        A tree of labelled arrays, one in each node at most, as `open_study` and `open_slide` make it, or made of one with
        `tree.map_over_datasets` and `tree.filter`.
    directory
        Folder for the folders, or its URL.
    transfer_syntax, loss, derivation, attributes
        As for a single array, for each of them.
    uid_seed
        Makes new UIDs depend on this text, the node's path and the plane's number alone; random without it.
    keep_uids, overwrite, storage_options
        As for a single array, for each of them.
    progress
        Whether a progress bar is shown, or a function that is called with the blocks done and their number, for one array after the other.

    Returns
    -------
    dict of str to WrittenDicom
        What was written, by path of the node.

    Raises
    ------
    UnsupportedEncodingError
        If an array is of a kind that is not written; nothing is written then. `tree.filter` leaves it out.
    ValueError
        If there is no array to write, or a node has several; nothing is written then.
    SourceError, InconsistentSeriesError, UnsupportedEncodingError, ValueError
        As for a single array, with the path of its node. The nodes before it are written then.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> study = xdicom.open_study("testdata").filter(lambda node: "1_ct" in node.path or "1_pt" in node.path)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = study.dicom.to_dicom(folder, progress=False)
    ...     xdicom.open_study(folder).groups
    ('/', '/1_ct_phantom', '/1_pt_phantom')
    >>> {path: each.instances for path, each in written.items()}
    {'1_ct_phantom': 24, '1_pt_phantom': 8}
    """
    wanted = Choices(
        transfer_syntax=transfer_syntax, loss=loss, derivation=derivation, attributes=dict(attributes or {}), keep_uids=keep_uids
    )
    arrays = dict(_arrays_of(tree, wanted))
    if not arrays:
        raise ValueError(f"the tree has no array to write: nodes hold one of {', '.join(WRITTEN)}")
    identities = _Identities(uid_seed)
    written = {}
    for path, array in arrays.items():
        choices = replace(wanted, **identities.of(path, array))
        folder = folder_at(os.fspath(directory) if path == "." else f"{os.fspath(directory).rstrip('/')}/{path}", storage_options)
        with _named(path):
            written[path] = write_choices(array, choices, folder, progress, overwrite=overwrite)
    return written


class _Identities:
    """New UIDs and numbers of arrays, shared where they came from one series."""

    def __init__(self, seed: str | None) -> None:
        self._seed = seed
        self._series: dict[str, str] = {}
        self._pyramids: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def of(self, path: str, array: xr.DataArray) -> dict[str, Any]:
        """What `Choices` says of the identity of the next array."""
        source = str(array.attrs.get("series_instance_uid") or path)
        self._counts[source] += 1
        is_level = is_slide_image(array) and _LEVEL.fullmatch(path.rpartition("/")[2]) is not None
        return {
            "uid_seed": None if self._seed is None else f"{self._seed}\n{path}",
            "series_uid": self._uid(self._series, source, "series"),
            "instance_number": self._counts[source],
            "pyramid_uid": self._uid(self._pyramids, source, "pyramid") if is_level else None,
        }

    def _uid(self, known: dict[str, str], source: str, what: str) -> str:
        if source not in known:
            known[source] = new_uids(0, None if self._seed is None else f"{self._seed}\n{source}\n{what}")[0]
        return known[source]


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors say at which node they happened."""
    try:
        yield
    except (XDicomError, ValueError) as error:
        if len(error.args) == 1:
            error.args = (f"{path}: {error}",)
        raise


def _arrays_of(tree: xr.DataTree, choices: Choices) -> Iterator[tuple[str, xr.DataArray]]:
    """Arrays of a tree by the path of their node.

    Raises
    ------
    UnsupportedEncodingError, ValueError
        If one is of a kind that is not written, or a node has several.
    """
    for node in tree.subtree:
        path, dataset = node.relative_to(tree), node.to_dataset(inherit=False)
        names = [name for name in WRITTEN if name in dataset.data_vars]
        with _named(path):
            if len(names) > 1:
                raise ValueError(f"the node holds {' and '.join(names)}: leave one of them in it")
            if names and is_slide_image(dataset[names[0]]):
                form_of_tiles(dataset[names[0]], choices)
            elif names:
                check_kind(names[0], str(dataset[names[0]].attrs.get("sop_class_uid", "")))
        if names:
            yield path, dataset[names[0]]
