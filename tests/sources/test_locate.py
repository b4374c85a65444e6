"""What `locate` finds on this machine."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileDataset

from xdicom.errors import SourceError
from xdicom.sources import Source, locate, read_range


def names(found: list[Source], below: Path) -> list[str]:
    return [os.path.relpath(source.url, below) for source in found]


def test_a_folder_gives_all_files_below_it_sorted_without_hidden_ones(folder: Path) -> None:
    found = locate(folder)

    assert names(found, folder) == ["a.dcm", "b/a.dcm", "b/c.dcm"]
    assert [source.size for source in found] == [100, 0, 50]


def test_a_file_is_described_by_its_absolute_path_size_and_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    found = locate("a.dcm")

    assert found == [Source(str(folder / "a.dcm"), 100, str((folder / "a.dcm").stat().st_mtime_ns))]


def test_a_home_folder_is_understood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))

    assert names(locate("~/b"), folder) == ["b/a.dcm", "b/c.dcm"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.dcm", ["a.dcm"]),
        ("**/*.dcm", ["a.dcm", "b/a.dcm", "b/c.dcm"]),
        ("b*", ["b/a.dcm", "b/c.dcm"]),
        ("**", ["a.dcm", "b/a.dcm", "b/c.dcm"]),
        ("b/[bc].dcm", ["b/c.dcm"]),
    ],
)
def test_a_pattern_gives_what_matches_and_what_lies_below(folder: Path, pattern: str, expected: list[str]) -> None:
    assert names(locate(str(folder / pattern)), folder) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_taken_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a[1].dcm").write_bytes(b"12")
    (tmp_path / "a1.dcm").write_bytes(b"3")

    assert names(locate(tmp_path / "a[1].dcm"), tmp_path) == ["a[1].dcm"]


def test_names_with_colons_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a::b.dcm").write_bytes(b"12")
    monkeypatch.chdir(tmp_path)

    assert names(locate("a::b.dcm"), tmp_path) == ["a::b.dcm"]
    assert names(locate(tmp_path / "a::b.dcm"), tmp_path) == ["a::b.dcm"]


def test_several_locations_keep_their_order_and_repeat_nothing(folder: Path) -> None:
    found = locate([folder / "b" / "c.dcm", str(folder), folder / "a.dcm"])

    assert names(found, folder) == ["b/c.dcm", "a.dcm", "b/a.dcm"]


@pytest.mark.parametrize("prefix", ["file://", "file://localhost"])
def test_a_file_url_is_a_local_path(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "with space.dcm"
    path.write_bytes(b"1")

    assert locate(prefix + path.as_uri().removeprefix("file://"))[0].url == str(path)
    assert locate(f"{prefix}{path}")[0].url == str(path)


def test_an_empty_folder_gives_nothing(tmp_path: Path) -> None:
    assert locate(tmp_path) == []


def test_no_location_gives_nothing() -> None:
    assert locate([]) == []


@pytest.mark.parametrize("name", ["nothing.dcm", "no*.dcm", "a.dcm/b.dcm"])
def test_nothing_at_a_location_is_an_error_that_names_it(folder: Path, name: str) -> None:
    with pytest.raises(SourceError, match="Another try will not help") as caught:
        locate(folder / name)

    assert str(folder / name) in str(caught.value)


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SourceError, match="not a regular file"):
        locate(tmp_path / "pipe")


def test_a_pipe_in_a_folder_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert locate(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)

    with pytest.raises(SourceError, match="locked: the folder can't be listed"):
        locate(tmp_path)


def test_a_linked_folder_is_entered_once_even_if_it_leads_back(folder: Path) -> None:
    (folder / "b" / "up").symlink_to(folder)
    (folder / "linked").symlink_to(folder / "b")

    assert len(locate(folder)) == 5
    assert {source.size for source in locate(folder)} == {100, 0, 50}


def test_a_link_to_nothing_is_found_and_fails_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere")

    (found,) = locate(tmp_path)

    assert found.size == -1
    with pytest.raises(SourceError, match="does not exist"):
        read_range(found.url, 0, 10)


def test_a_chain_is_described_by_its_source(folder: Path) -> None:
    (found,) = locate(f"span@10+20::{folder / 'a.dcm'}")
    (inflated,) = locate(f"inflate@10::{folder / 'a.dcm'}")

    assert (found.url, found.size) == (f"span@10+20::{folder / 'a.dcm'}", 20)
    assert found.stamp == inflated.stamp == locate(folder / "a.dcm")[0].stamp
    assert inflated.size == -1


@pytest.mark.corpus
def test_a_dicomdir_is_a_source_like_any_other(corpus: Path) -> None:
    path = next(corpus.rglob("DICOMDIR"))

    assert [source.url for source in locate(path)] == [str(path)]


def test_an_unknown_protocol_is_an_error() -> None:
    with pytest.raises(SourceError, match="no-such-protocol"):
        locate("no-such-protocol://place/a.dcm")


def named(dataset: Dataset) -> Dataset:
    dataset.PatientName = "Doe"
    return dataset


@pytest.mark.parametrize(
    ("location", "what"),
    [
        (b"DICM", "bytes"),
        (io.BytesIO(b"DICM"), "BytesIO"),
        (7, "int"),
        (["a.dcm", 7], "int"),
        (named(Dataset()), "Dataset"),
        (named(FileDataset("", {})), "FileDataset"),
    ],
)
def test_what_is_no_location_is_told_how_it_becomes_one(location: object, what: str) -> None:
    with pytest.raises(TypeError, match=rf"not {what}\. What is in memory can be opened once it has a name") as caught:
        locate(location)  # type: ignore[arg-type]

    assert "Doe" not in str(caught.value)
