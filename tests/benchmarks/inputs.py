"""Files to measure with, written by pydicom."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
from pydicom import Dataset, Sequence
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

POSITION, TUBE_CURRENT = 0x12345678, 123.456789
OPTIONAL = {
    "AccessionNumber": "A1", "InstitutionName": "SOME PLACE", "StationName": "CT1", "StudyDescription": "THORAX",
    "PatientAge": "050Y", "PatientWeight": "70", "BodyPartExamined": "CHEST", "ScanOptions": "HELICAL", "DataCollectionDiameter": "500",
    "ProtocolName": "1.1 Thorax",
    "ReconstructionDiameter": "360", "DistanceSourceToDetector": "1000", "DistanceSourceToPatient": "540", "TableHeight": "150",
    "RotationDirection": "CW", "Exposure": "100", "FilterType": "BODY", "GeneratorPower": "30", "FocalSpots": "1.2",
    "ConvolutionKernel": "B30",
    "PatientPosition": "HFS", "PositionReferenceIndicator": "SN", "ImageComments": "none", "WindowCenterWidthExplanation": ["SOFT", "LUNG"],
    "StudyID": "1", "SoftwareVersions": "VA1",
    "DeviceSerialNumber": "12345", "ManufacturerModelName": "SCANNER", "AcquisitionDate": "20260101",
    "AcquisitionTime": "101500", "SeriesDate": "20260101", "SeriesTime": "101500", "StudyDate": "20260101", "StudyTime": "101500",
}  # fmt: skip
"""Elements that a file may do without."""


def _instance(sop_class: str, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    return ds


def _pixels(ds: Dataset, rows: int, columns: int) -> None:
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1


def thorax(rows: int = 512) -> np.ndarray:
    """Something like a CT slice: air, a body, noise; int16, shape `(rows, rows)`."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : rows * 1j]
    body = np.where(x**2 + (1.4 * y) ** 2 < 0.7, 40, -1000) + np.where((np.abs(x) - 0.35) ** 2 + y**2 < 0.06, -850, 0)
    return np.clip(body + np.random.default_rng(7).normal(0, 12, (rows, rows)), -1024, 3000).astype(np.int16)


def ct_series(folder: Path, count: int, rows: int, *, is_varied: bool = False) -> list[str]:
    """A CT series of about 150 elements a file; with `is_varied` each file lacks others of them."""
    series, study, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
    base, chance = thorax(rows), random.Random(5)
    for i in range(count):
        ds = _instance(CTImageStorage)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame_of_reference
        ds.Modality, ds.Manufacturer, ds.SeriesDescription, ds.ImageType = "CT", "ACME", "THORAX 1.0", ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.InstanceNumber, ds.SeriesNumber, ds.AcquisitionNumber = i + 1, 3, 1
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [-180.0, -175.5, -300 + 0.7 * i], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness, ds.SliceLocation = [0.703125, 0.703125], 1.0, -300 + 0.7 * i
        _pixels(ds, rows, rows)
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -24, "HU"
        ds.WindowCenter, ds.WindowWidth = [40, -600], [400, 1500]
        ds.ContentDate, ds.ContentTime = "20260101", f"1015{i % 60:02d}.{i:06d}"
        ds.KVP, ds.XRayTubeCurrent, ds.ExposureTime = 120, 200 + i % 37, 500
        for keyword, value in OPTIONAL.items():
            if not is_varied or chance.random() < 0.7:
                setattr(ds, keyword, value)
        ds.add_new(0x00090010, "LO", "ACME PRIVATE")
        for element in range(60):
            if not is_varied or chance.random() < 0.7:
                ds.add_new(0x00091001 + element, "LO", f"private value {element} {i if element % 7 == 0 else ''}")
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, generate_uid()
        ds.ReferencedImageSequence = [reference]
        ds.PixelData = np.roll(base, i, axis=0).tobytes()
        ds.save_as(folder / f"{(i * 7919) % count:05d}.dcm", enforce_file_format=True)
    return sorted(str(path) for path in folder.iterdir())


def enhanced_ct(path: Path, frames: int, *, is_undefined: bool) -> str:
    """An enhanced CT instance of tiny frames with eight functional groups each."""

    def sequence(**elements: object) -> Sequence:
        item = Dataset()
        for keyword, value in elements.items():
            setattr(item, keyword, value)
        item.is_undefined_length_sequence_item = is_undefined
        result = Sequence([item])
        result.is_undefined_length = is_undefined
        return result

    ds = _instance(EnhancedCTImageStorage)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID, ds.Modality = generate_uid(), generate_uid(), generate_uid(), "CT"
    ds.NumberOfFrames, ds.InstanceNumber, ds.ImageType = frames, 1, ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    _pixels(ds, 4, 4)
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = sequence(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    ds.PixelData = bytes(frames * 32)
    group = Dataset()
    group.CTExposureSequence = sequence(ExposureTimeInms=500.0, XRayTubeCurrentInmA=TUBE_CURRENT, ExposureInmAs=100.0)
    group.FrameContentSequence = sequence(
        FrameAcquisitionNumber=1,
        FrameReferenceDateTime="20260101101500.654321",
        StackID="1",
        InStackPositionNumber=POSITION,
        DimensionIndexValues=[1, POSITION],
    )
    group.PlanePositionSequence = sequence(ImagePositionPatient=["-180.0", "-175.5", "98765.4"])
    group.PixelMeasuresSequence = sequence(SliceThickness=1.0, PixelSpacing=[0.703125, 0.703125])
    group.FrameVOILUTSequence = sequence(WindowCenter=40, WindowWidth=400)
    group.PixelValueTransformationSequence = sequence(RescaleIntercept=-1024, RescaleSlope=1, RescaleType="HU")
    group.CTImageFrameTypeSequence = sequence(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
    group.is_undefined_length_sequence_item = is_undefined
    ds.PerFrameFunctionalGroupsSequence = Sequence([group])
    ds["PerFrameFunctionalGroupsSequence"].is_undefined_length = is_undefined
    ds.save_as(path, enforce_file_format=True)
    # pydicom wrote the first group; the others are that one with other numbers: to write 20,000 takes it a minute.
    written = path.read_bytes()
    begin, end = written.index(b"\x00\x52\x30\x92SQ") + 12, written.index(b"\xe0\x7f\x10\x00OW")
    stop = end - 8 if is_undefined else end
    item = written[begin:stop]
    items = b"".join(
        item.replace(b"654321", b"%06d" % i)
        .replace(b"98765.4", b"%7.1f" % (-300 + 0.45 * i))
        .replace(struct.pack("<I", POSITION), struct.pack("<I", i + 1))
        .replace(struct.pack("<d", TUBE_CURRENT), struct.pack("<d", 200.0 + i % 37))
        for i in range(frames)
    )
    length = struct.pack("<I", 0xFFFFFFFF if is_undefined else len(items))
    path.write_bytes(written[: begin - 4] + length + items + written[stop:])
    return str(path)


def cine(path: Path, frames: int, rows: int, *, pixels: np.ndarray | None = None) -> str:
    """An uncompressed multi-frame instance without functional groups."""
    ds = _instance(SecondaryCaptureImageStorage)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality, ds.NumberOfFrames, ds.FrameTime = (
        generate_uid(),
        generate_uid(),
        "OT",
        frames,
        40,
    )
    _pixels(ds, rows, rows)
    ds.PixelData = bytes(frames * rows * rows * 2) if pixels is None else pixels.tobytes()
    ds.save_as(path, enforce_file_format=True)
    return str(path)


def fragments(path: Path, streams: list[bytes], table: str, rows: int = 8) -> str:
    """An encapsulated instance with one stream a frame, and a `basic`, an `extended` or no offset table."""
    ds = _instance(SecondaryCaptureImageStorage, JPEGLSLossless)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality, ds.NumberOfFrames = generate_uid(), generate_uid(), "OT", len(streams)
    _pixels(ds, rows, rows)
    if table == "extended":
        lengths = np.array([len(stream) + len(stream) % 2 for stream in streams], "<u8")
        ds.ExtendedOffsetTable = (np.cumsum(lengths + 8) - lengths - 8).tobytes()
        ds.ExtendedOffsetTableLengths = lengths.tobytes()
    ds.PixelData = encapsulate(streams, has_bot=table == "basic")
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, enforce_file_format=True)
    return str(path)
