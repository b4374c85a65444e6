"""Members of zip and tar archives as sources."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from xdicom.errors import SourceError
from xdicom.sources import inflated, locate, read_heads, read_range, read_ranges, reset_statistics, split_chain, statistics, whole
from xdicom.sources.chain import Inflate, Span

MEMBERS = {"in/b.dcm": b"b" * 3000, "in/deep/c.dcm": bytes(range(256)) * 30, "a.dcm": b"a" * 1000}
HIDDEN = {"in/.hidden": b"no", "__MACOSX/a.dcm": b"no"}


def make_zip(path: Path, compression: int) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.mkdir("in")
        for name, data in {**MEMBERS, **HIDDEN}.items():
            file.writestr(name, data)
    return path


def make_tar(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as file:
        for name, data in {**MEMBERS, **HIDDEN}.items():
            (path.parent / "member").write_bytes(data)
            file.add(path.parent / "member", name)
        file.add(path.parent, "in/folder", recursive=False)
    (path.parent / "member").unlink()
    return path


@pytest.fixture(params=["stored.zip", "deflated.zip", "plain.tar", "packed.tar.gz", "packed.tgz", "no_suffix"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same files in archives of every kind."""
    path = tmp_path / str(request.param)
    if path.suffix == ".zip":
        return make_zip(path, zipfile.ZIP_STORED if "stored" in path.name else zipfile.ZIP_DEFLATED)
    return make_tar(path, "w" if path.suffix in (".tar", "") else "w:gz")


def test_members_are_found_sorted_by_name_without_hidden_ones(archive: Path) -> None:
    found = locate(archive)

    assert [whole(source.url) for source in found] == [MEMBERS[name] for name in sorted(MEMBERS)]
    assert [source.size for source in found] == [len(MEMBERS[name]) for name in sorted(MEMBERS)]


def test_members_are_read_in_parts(archive: Path) -> None:
    deep = locate(archive)[2].url
    content = MEMBERS["in/deep/c.dcm"]

    assert read_range(deep, 7000, 9999) == content[7000:]
    assert read_ranges(deep, [100, 0], [5, 7]) == [content[100:105], content[:7]]
    assert [head for _, head in read_heads(locate(archive), 4)] == [b"aaaa", b"bbbb", content[:4]]


def test_a_member_is_read_in_one_request_of_its_length(tmp_path: Path) -> None:
    for archive in (make_zip(tmp_path / "stored.zip", zipfile.ZIP_STORED), make_tar(tmp_path / "plain.tar", "w")):
        found = locate(archive)[2]
        reset_statistics()

        read_range(found.url, 100, 50)

        assert [type(link) for link in split_chain(found.url)[0]] == [Span]
        assert (statistics().requests, statistics().bytes) == (1, 50)


def test_a_deflated_member_is_inflated_once(tmp_path: Path) -> None:
    found = locate(make_zip(tmp_path / "deflated.zip", zipfile.ZIP_DEFLATED))[2]
    reset_statistics()

    for offset in range(0, 1000, 100):
        read_range(found.url, offset, 10)

    assert [type(link) for link in split_chain(found.url)[0]] == [Inflate, Span]
    assert statistics().requests == 1


def test_a_packed_tar_is_inflated_once_for_all_members(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "packed.tar.gz", "w:gz")
    found = locate(archive)
    reset_statistics()

    for source in found:
        whole(source.url)

    assert statistics().requests == 0
    inflated.forget()
    assert [whole(source.url) for source in found] == [MEMBERS[name] for name in sorted(MEMBERS)]
    assert statistics().bytes == archive.stat().st_size


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", 3),
        ("*", 3),
        ("*.dcm", 1),
        ("in", 2),
        ("in/*", 2),
        ("in/*.dcm", 1),
        ("**/*.dcm", 3),
        ("**/[cx].dcm", 1),
    ],
)
def test_a_chain_chooses_members_of_an_archive(tmp_path: Path, pattern: str, expected: int) -> None:
    zipped, packed = make_zip(tmp_path / "stored.zip", zipfile.ZIP_STORED), make_tar(tmp_path / "plain.tar", "w")

    assert len(locate(f"zip://{pattern}::{zipped}")) == expected
    assert len(locate(f"tar://{pattern}::file://{packed}")) == expected


def test_a_pattern_opens_the_archives_that_it_matches(tmp_path: Path) -> None:
    make_zip(tmp_path / "1.zip", zipfile.ZIP_STORED)
    make_zip(tmp_path / "2.zip", zipfile.ZIP_DEFLATED)

    assert len(locate(str(tmp_path / "*.zip"))) == 6


def test_archives_in_a_list_are_known_by_their_suffix(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "1.zip", zipfile.ZIP_STORED)
    other = make_zip(tmp_path / "plain", zipfile.ZIP_STORED)

    assert [source.url.endswith("plain") for source in locate([archive, other])] == [False, False, False, True]


def test_an_archive_in_a_folder_is_a_file_like_any_other(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "1.zip", zipfile.ZIP_STORED)

    assert [source.url for source in locate(tmp_path)] == [str(archive)]


def test_an_archive_in_an_archive_is_reached_by_its_url(tmp_path: Path) -> None:
    make_tar(tmp_path / "inner.tar", "w")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.write(tmp_path / "inner.tar", "inner.tar")
    (inner,) = locate(tmp_path / "outer.zip")

    found = locate(f"tar://*::{inner.url}")

    assert [whole(source.url) for source in found] == [MEMBERS[name] for name in sorted(MEMBERS)]


def test_a_dicom_file_whose_preamble_looks_like_an_archive_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"PK\3\4".ljust(128, b"\0") + b"DICM")

    assert [source.url for source in locate(tmp_path / "a.dcm")] == [str(tmp_path / "a.dcm")]


def test_a_change_of_the_archive_since_the_scan_is_an_error(archive: Path) -> None:
    source = locate(archive)[0]
    os.utime(archive, ns=(1, 1))
    inflated.forget()

    with pytest.raises(SourceError, match="changed since it was scanned"):
        read_range(source.url, 0, 5, stamp=source.stamp)


def test_what_is_no_archive_is_refused_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"no archive")

    with pytest.raises(SourceError, match="neither a zip nor a tar"):
        locate(f"zip://*::{tmp_path / 'a.dcm'}")


def test_no_member_that_matches_is_an_error(archive: Path) -> None:
    with pytest.raises(SourceError, match=r"no member matches '\*\.img'"):
        locate(f"zip://*.img::{archive}")


@pytest.mark.parametrize("keep", [3000, 50])
def test_a_damaged_archive_is_an_error(tmp_path: Path, keep: int) -> None:
    archive = make_zip(tmp_path / "a.zip", zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes()[:keep])

    with pytest.raises(SourceError, match=r"a\.zip: the archive is damaged"):
        locate(archive)


def test_a_truncated_packed_tar_is_an_error(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", "w:gz")
    archive.write_bytes(archive.read_bytes()[:-30])

    with pytest.raises(ValueError, match="ends early"):
        locate(archive)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    archive.write_bytes(data)

    with pytest.raises(SourceError, match="encrypted"):
        locate(archive)


def test_a_compression_that_is_not_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"method 14; only stored \(0\) and deflated \(8\)"):
        locate(make_zip(tmp_path / "a.zip", zipfile.ZIP_LZMA))


def test_a_kind_of_archive_that_is_not_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"only zip, tar and tar\.gz"):
        locate(make_tar(tmp_path / "a.tar.xz", "w:xz"))
