"""A location to the sources of its instances: as they lie there, or as a DICOMDIR that is named lists them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from xdicom.errors import NotDicomError
from xdicom.headers.directory import parse_directory
from xdicom.sources.filesets import is_directory_name, members_of
from xdicom.sources.locate import Location, each_location, locate
from xdicom.sources.ranges import whole
from xdicom.sources.source import Source


def locate_instances(location: Location | Sequence[Location], storage_options: Mapping[str, object] | None = None) -> list[Source]:
    """Sources at a location; a DICOMDIR that is named itself, alone or in a list, stands for the files that it names.

    A folder is what lies in it, whether a DICOMDIR is there or not. So is an archive.

    Raises
    ------
    SourceError
        As for `locate`.
    NotDicomError
        If a DICOMDIR can't be read, or names files outside of its folder.
    TypeError
        As for `locate`.
    """
    several = each_location(location)
    directories = [one for one in several if is_directory_name(os.fspath(one)) and "::" not in os.fspath(one)]
    if not directories:
        return locate(several, storage_options)
    found: dict[str, Source] = {}
    plain: list[Location] = []
    for one in several:
        if one not in directories:
            plain.append(one)
            continue
        for source in (*_located(plain, storage_options), *_listed(one, storage_options)):
            found.setdefault(source.url, source)
        plain = []
    for source in _located(plain, storage_options):
        found.setdefault(source.url, source)
    return list(found.values())


def _located(locations: Sequence[Location], storage_options: Mapping[str, object] | None) -> list[Source]:
    return locate(locations, storage_options) if locations else []


def _listed(location: Location, storage_options: Mapping[str, object] | None) -> list[Source]:
    """Sources of the files that DICOMDIRs at `location` name; those that are none are left as they are."""
    found: list[Source] = []
    for source in locate(location, storage_options):
        try:
            identifiers = parse_directory(whole(source.url, stamp=source.stamp))
        except NotDicomError as error:
            raise NotDicomError(f"{source.url}: {error}; open its folder to read what lies there all the same") from error
        found.extend([source] if identifiers is None else members_of(source.url, identifiers))
    return found
