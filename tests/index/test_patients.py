"""One series is of one patient, and nobody learns from a catalog who that is."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

import pytest

import xdicom
from builders import make_ct, uid
from doubles import counted_reads
from xdicom.index.catalog import Catalog

NAMES = ["Q7731X", "ZZ-0815", "K443"]
SERIES = uid("series of several")


def make_patients(folder: Path, names: list[str], *, count: int = 3) -> list[Path]:
    """Slices of each of several patients under one Series Instance UID, all at the same places."""
    paths = []
    for number, name in enumerate(names):
        paths += make_ct(
            folder,
            [float(i) for i in range(count)],
            series_uid=SERIES,
            names=[f"{number}-{i}.dcm" for i in range(count)],
            PatientID=name,
            StudyInstanceUID=uid("study"),
            varying={"SOPInstanceUID": [uid(name, i) for i in range(count)]},
        )
    return paths


def told(catalog: Catalog) -> str:
    """All that a catalog and what is made of it say or keep."""
    tree = xdicom.open_study(catalog)
    parts = [
        repr(catalog),
        catalog._repr_html_(),
        str(catalog.to_dict()),
        str(catalog.report()),
        str(catalog.report().to_dict()),
        repr(tree),
    ]
    attrs = [str(node.attrs) + str(node.to_dataset().attrs) for node in tree.subtree]
    return "".join([*parts, *attrs, pickle.dumps(catalog).decode("latin_1"), pickle.dumps(tree).decode("latin_1")])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_series_of_several_patients_is_split_by_them(tmp_path: Path, count: int) -> None:
    paths = make_patients(tmp_path, NAMES[:count])

    report = xdicom.scan(paths).report().series[0]

    assert [stack.frames for stack in report.stacks] == [3] * count
    assert sorted(stack.split_by for stack in report.stacks) == [() if count == 1 else (f"patient: {i + 1}",) for i in range(count)]
    assert [note for note in report.notes if "patients have this Series Instance UID" in note] == [
        note for note in report.notes if count > 1 and note.startswith(f"instances of {count} patients")
    ]
    assert len(report.notes) == (count > 1)


def test_a_series_of_several_patients_is_refused_as_one_array(tmp_path: Path) -> None:
    with pytest.raises(xdicom.MultipleSeriesError, match="patient: 1") as caught:
        xdicom.open_series(make_patients(tmp_path, NAMES))

    assert not [name for name in NAMES if name in str(caught.value)]


def test_no_patient_id_is_kept_or_told(tmp_path: Path) -> None:
    one = xdicom.scan(make_patients(tmp_path / "one", NAMES[:1]))
    several = xdicom.scan(make_patients(tmp_path / "several", NAMES))

    for catalog in (one, several):
        assert "patient_id" not in catalog.frames.instances.columns
        assert not [name for name in NAMES if name in told(catalog)]


def test_numbers_of_patients_do_not_depend_on_where_files_lie(tmp_path: Path) -> None:
    paths = make_patients(tmp_path, NAMES)
    expected = sorted(stack.name for stack in xdicom.scan(paths).report().series[0].stacks)
    first = xdicom.open_study(paths)[f"1_ct/{expected[1]}"]["stored_values"]
    random.Random(3).shuffle(paths)

    shuffled = xdicom.open_study(paths)[f"1_ct/{expected[1]}"]["stored_values"]

    assert expected == ["patient_1", "patient_2", "patient_3"]
    assert shuffled["sop_instance_uid"].values.tolist() == first["sop_instance_uid"].values.tolist()


def test_an_instance_without_a_patient_id_is_no_other_patient_s(tmp_path: Path) -> None:
    paths = make_patients(tmp_path, ["", NAMES[0]], count=2)
    for i, path in enumerate(paths[:2]):
        make_ct(
            tmp_path, [10.0 + i], series_uid=SERIES, names=[path.name], PatientID="", StudyInstanceUID=uid("study"), SOPInstanceUID=uid(i)
        )

    stacks = xdicom.scan(paths).report().series[0].stacks

    assert [stack.frames for stack in stacks] == [4]


def test_files_that_came_later_are_compared_with_those_that_were_there(tmp_path: Path) -> None:
    make_patients(tmp_path, NAMES[:1])
    known = xdicom.scan(tmp_path)
    make_patients(tmp_path, NAMES[:2])
    for path in sorted(tmp_path.glob("0-*"))[1:]:
        known_time = dict(zip(known.frames.instances.urls, known.frames.instances.stamps, strict=True))[str(path)]
        os.utime(path, ns=(int(known_time), int(known_time)))

    with counted_reads(tmp_path) as reads:
        newer = xdicom.scan(tmp_path, known=known)

    assert [stack.frames for stack in newer.report().series[0].stacks] == [3, 3]
    assert {Path(path).name for path in reads.opened} <= {"0-0.dcm", "0-1.dcm", "1-0.dcm", "1-1.dcm", "1-2.dcm"}
    assert not [name for name in NAMES if name in told(newer)]
