"""Write the example data: five small DICOM studies of phantoms, every value of which is known before it is written.

    python testdata/make.py [FOLDER]

Each run writes the same files (the encoded streams are those of the codecs installed) into FOLDER, or else beside this script,
and `answers.json`: what a reader has to find in them. `README.md` tells what they hold, `pictures.py` draws it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pictures import (
    CINE_SHAPE,
    CT_ORIGIN_MM,
    CT_PADDING,
    CT_ROD_RADIUS_MM,
    CT_ROD_Y_MM,
    CT_RODS,
    CT_SPACING_MM,
    MR_ORIGIN_MM,
    MR_SIGNALS,
    MR_SPACING_MM,
    PET_BACKGROUND,
    PET_CENTER_MM,
    PET_HOT,
    PET_ORIGIN_MM,
    PET_SPACING_MM,
    ball_center,
    cine_frame,
    ct_slice,
    mr_slice,
    pet_slice,
    pet_spheres,
)
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID

Array = NDArray[Any]

IMPLICIT, NATIVE, RLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"

CT_POSITIONS_MM = [-180.0 + 5.0 * i for i in range(24)]
CT_WINDOWS = [(40, 400, "SOFT TISSUE"), (-600, 1500, "LUNG"), (400, 1800, "BONE")]
MR_ECHOES_MS, MR_POSITIONS_MM = [15.0, 45.0, 90.0], [-14.0 + 4.0 * i for i in range(8)]
MR_ORIENTATION, MR_NORMAL = [0.8, 0.6, 0.0, -0.36, 0.48, 0.8], [0.48, -0.64, 0.6]
PET_POSITIONS_MM = [round(3.27 * i, 2) for i in range(8)]
PET_SLOPES = [1.5 + 0.25 * i for i in range(8)]
CINE_FRAMES, CINE_FRAME_TIME_MS = 12, 40.0


def main(folder: Path) -> None:
    """Write all files and the answers into `folder`."""
    answers = {}
    for name, make in STUDIES.items():
        answers[name] = make(folder / name)
        print(folder / name)
    (folder / "answers.json").write_text(one_line_each(answers))


# --- the five studies ---------------------------------------------------------------------------------------------------


def make_ct(folder: Path) -> dict[str, Any]:
    """A thorax of 24 slices, native and JPEG-LS in turn; file names and instance numbers know nothing of the order."""
    stored = np.stack([ct_slice(z) for z in CT_POSITIONS_MM])
    for i, (position, pixels) in enumerate(zip(CT_POSITIONS_MM, stored, strict=True)):
        name = f"IM-{hashlib.sha256(f'ct {i}'.encode()).hexdigest()[:8].upper()}.dcm"
        elements = {
            **identity("CT", "1.2.840.10008.5.1.4.1.1.2", 7 * i % 24 + 1, name),
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "KVP": "120",
            "SliceThickness": "5",
            "RescaleSlope": "1",
            "RescaleIntercept": "-1024",
            "RescaleType": "HU",
            "WindowCenter": [str(center) for center, _, _ in CT_WINDOWS],
            "WindowWidth": [str(width) for _, width, _ in CT_WINDOWS],
            "WindowCenterWidthExplanation": [explanation for _, _, explanation in CT_WINDOWS],
            "PixelPaddingValue": CT_PADDING,
            "ImagePositionPatient": decimals([*CT_ORIGIN_MM, position]),
            "ImageOrientationPatient": decimals([1, 0, 0, 0, 1, 0]),
            "PixelSpacing": decimals(CT_SPACING_MM),
        }
        write(folder / name, elements, pixels, (NATIVE, JPEG_LS)[i % 2])
    rods = [{"x_mm": x, "y_mm": CT_ROD_Y_MM, "radius_mm": CT_ROD_RADIUS_MM, "hu": hu} for x, hu in CT_RODS]
    return {
        **describe(stored, ["z", "y", "x"], "HU"),
        "z_mm": CT_POSITIONS_MM,
        "origin_mm": CT_ORIGIN_MM,
        "pixel_spacing_mm": CT_SPACING_MM,
        "rescale": [1, -1024],
        "windows": CT_WINDOWS,
        "pixel_padding_value": CT_PADDING,
        "rods": rods,
    }


def make_mr(path: Path) -> dict[str, Any]:
    """A head of 3 echoes by 8 oblique slices in one enhanced object, JPEG 2000, the frames in no order."""
    volume = np.stack([[mr_slice(echo, z) for z in MR_POSITIONS_MM] for echo in range(len(MR_ECHOES_MS))])
    frames = [divmod(5 * number % 24, 8) for number in range(24)]  # 5 and 24 have no common divisor: each frame once
    row, column = np.array(MR_ORIENTATION[:3]), np.array(MR_ORIENTATION[3:])
    corner = MR_ORIGIN_MM[0] * row + MR_ORIGIN_MM[1] * column
    per_frame = [
        {
            "FrameContentSequence": [
                {"StackID": "1", "InStackPositionNumber": place + 1, "DimensionIndexValues": [1, place + 1, echo + 1]}
            ],
            "PlanePositionSequence": [{"ImagePositionPatient": decimals(corner + MR_POSITIONS_MM[place] * np.array(MR_NORMAL))}],
            "MREchoSequence": [{"EffectiveEchoTime": MR_ECHOES_MS[echo]}],
        }
        for echo, place in frames
    ]
    shared = {
        "PlaneOrientationSequence": [{"ImageOrientationPatient": decimals(MR_ORIENTATION)}],
        "PixelMeasuresSequence": [{"PixelSpacing": decimals(MR_SPACING_MM), "SliceThickness": "4"}],
        "MRImageFrameTypeSequence": [{"FrameType": ["ORIGINAL", "PRIMARY", "M", "NONE"], "ComplexImageComponent": "MAGNITUDE"}],
        "PixelValueTransformationSequence": [{"RescaleIntercept": "0", "RescaleSlope": "1", "RescaleType": "US"}],
        "FrameVOILUTSequence": [{"WindowCenter": "500", "WindowWidth": "1000"}],
    }
    organization = uid("mr dimensions")
    pointers = [(0x00209056, 0x00209111), (0x00209057, 0x00209111), (0x00189082, 0x00189114)]
    elements = {
        **identity("MR", "1.2.840.10008.5.1.4.1.1.4.1", 1, path.name),
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"],
        "MagneticFieldStrength": 3.0,
        "NumberOfFrames": 24,
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
        "DimensionIndexSequence": [
            {"DimensionOrganizationUID": organization, "DimensionIndexPointer": index, "FunctionalGroupPointer": group}
            for index, group in pointers
        ],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": per_frame,
    }
    write(path, elements, np.stack([volume[frame] for frame in frames]), JPEG_2000, bits_stored=12)
    return {
        **describe(volume, ["echo_time", "z", "y", "x"], None),
        "echo_time_ms": MR_ECHOES_MS,
        "z_mm": MR_POSITIONS_MM,
        "origin_mm": MR_ORIGIN_MM,
        "pixel_spacing_mm": MR_SPACING_MM,
        "image_orientation_patient": MR_ORIENTATION,
        "frames_stored_as": [list(frame) for frame in frames],
        "signals": MR_SIGNALS,
    }


def make_cine(path: Path) -> dict[str, Any]:
    """An ultrasound cine of 12 frames every 40 ms, RGB, RLE: a bright ball that goes round in a speckled sector."""
    frames = np.stack([cine_frame(i) for i in range(CINE_FRAMES)])
    region = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": 0,
        "RegionLocationMinY0": 0,
        "RegionLocationMaxX1": CINE_SHAPE[1] - 1,
        "RegionLocationMaxY1": CINE_SHAPE[0] - 1,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.125,
        "PhysicalDeltaY": 0.125,
    }
    elements = {
        **identity("US", "1.2.840.10008.5.1.4.1.1.3.1", 1, path.name),
        "FrameOfReferenceUID": None,
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "PhotometricInterpretation": "RGB",
        "NumberOfFrames": CINE_FRAMES,
        "FrameTime": str(CINE_FRAME_TIME_MS),
        "FrameIncrementPointer": 0x00181063,
        "SequenceOfUltrasoundRegions": [region],
    }
    write(path, elements, frames, RLE)
    centers = [list(ball_center(i)) for i in range(CINE_FRAMES)]
    return {**describe(frames, ["time", "y", "x", "sample"], None), "frame_time_ms": CINE_FRAME_TIME_MS, "ball_row_column": centers}


def make_palette(path: Path) -> dict[str, Any]:
    """A picture of 8-bit indices into a palette of 256 colours with 16 bits: black, red, yellow, white."""
    rows, columns = np.indices((64, 80))
    pixels = (((columns - 40) ** 2 + (rows - 32) ** 2) // 10 % 256).astype(np.uint8)
    level = np.arange(256) * 3 * 257
    palette = np.stack([np.clip(level - start * 65535, 0, 65535) for start in range(3)]).astype("<u2")
    elements = {
        **identity("OT", "1.2.840.10008.5.1.4.1.1.7", 1, path.name),
        "FrameOfReferenceUID": None,
        "ConversionType": "WSD",
        "PhotometricInterpretation": "PALETTE COLOR",
    }
    for color, entries in zip(("Red", "Green", "Blue"), palette, strict=True):
        elements[f"{color}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{color}PaletteColorLookupTableData"] = entries.tobytes()
    write(path, elements, pixels, NATIVE)
    return {**describe(pixels, ["y", "x"], None), "palette": palette.tolist()}


def make_pet(folder: Path) -> dict[str, Any]:
    """Six hot spheres in a warm body, Bq/ml with a slope of each slice's own, implicit VR."""
    activities = [pet_slice(z) for z in PET_POSITIONS_MM]
    stored = np.stack([np.rint(each / slope).astype(np.int16) for each, slope in zip(activities, PET_SLOPES, strict=True)])
    for i, (position, slope, pixels) in enumerate(zip(PET_POSITIONS_MM, PET_SLOPES, stored, strict=True)):
        name = f"PT{8 - i:03d}.dcm"
        elements = {
            **identity("PT", "1.2.840.10008.5.1.4.1.1.128", i + 1, name),
            "ImageType": ["ORIGINAL", "PRIMARY"],
            "SeriesType": ["STATIC", "IMAGE"],
            "Units": "BQML",
            "CountsSource": "EMISSION",
            "DecayCorrection": "START",
            "CorrectedImage": ["ATTN", "DECY"],
            "NumberOfSlices": len(PET_POSITIONS_MM),
            "ImageIndex": i + 1,
            "FrameReferenceTime": "0",
            "ActualFrameDuration": "120000",
            "SliceThickness": "3.27",
            "RescaleSlope": str(slope),
            "RescaleIntercept": "0",
            "WindowCenter": "20000",
            "WindowWidth": "40000",
            "ImagePositionPatient": decimals([*PET_ORIGIN_MM, position]),
            "ImageOrientationPatient": decimals([1, 0, 0, 0, 1, 0]),
            "PixelSpacing": decimals(PET_SPACING_MM),
        }
        write(folder / name, elements, pixels, IMPLICIT)
    return {
        **describe(stored, ["z", "y", "x"], "BQML"),
        "z_mm": PET_POSITIONS_MM,
        "origin_mm": PET_ORIGIN_MM,
        "pixel_spacing_mm": PET_SPACING_MM,
        "rescale_slope": PET_SLOPES,
        "background_bqml": PET_BACKGROUND,
        "hot_bqml": PET_HOT,
        "spheres": [{"x_mm": x, "y_mm": y, "z_mm": PET_CENTER_MM[2], "radius_mm": r} for x, y, r in pet_spheres()],
    }


# --- files ----------------------------------------------------------------------------------------------------------------


def uid(*words: object) -> str:
    """A UID that depends on `words` alone (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(['xdicom testdata', *map(str, words)])).int}"


def decimals(numbers: Sequence[float] | Array) -> list[str]:
    """Numbers as decimal strings."""
    return [f"{float(number) + 0.0:.10g}" for number in np.round(numbers, 9)]


def identity(modality: str, sop_class: str, instance_number: int, name: str) -> dict[str, Any]:
    """Elements that say which instance this is, of a phantom."""
    return {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": uid(modality, name),
        "StudyDate": "20260101",
        "StudyTime": "120000",
        "AccessionNumber": "",
        "Modality": modality,
        "Manufacturer": "xdicom testdata",
        "ReferringPhysicianName": "",
        "StudyDescription": "Phantoms",
        "SeriesDescription": f"{modality} phantom",
        "PatientName": f"Phantom^{modality}",
        "PatientID": f"PHANTOM-{modality}",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "StudyInstanceUID": uid("study", modality),
        "SeriesInstanceUID": uid("series", modality),
        "StudyID": "1",
        "SeriesNumber": "1",
        "InstanceNumber": str(instance_number),
        "FrameOfReferenceUID": uid("frame of reference", modality),
        "PositionReferenceIndicator": "",
    }


def describe(stored: Array, dims: list[str], units: str | None) -> dict[str, Any]:
    """What a reader has to find: shape, type and digest of the stored values in the order of their labels."""
    little_endian = np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<"))
    return {
        "dims": dims,
        "shape": list(stored.shape),
        "dtype": stored.dtype.name,
        "sha256": hashlib.sha256(little_endian.tobytes()).hexdigest(),
        "sum": int(stored.sum(dtype=np.int64)),
        "units": units,
    }


def write(path: Path, elements: dict[str, Any], pixels: Array, syntax: str, bits_stored: int | None = None) -> None:
    """Write one file; `pixels` is one frame, or as many as `elements` say."""
    photometric = elements.setdefault("PhotometricInterpretation", "MONOCHROME2")
    is_color = photometric == "RGB"
    bits = 8 * pixels.dtype.itemsize
    elements |= {
        "SamplesPerPixel": 3 if is_color else 1,
        "Rows": pixels.shape[-3 if is_color else -2],
        "Columns": pixels.shape[-2 if is_color else -1],
        "BitsAllocated": bits,
        "BitsStored": bits_stored or bits,
        "HighBit": (bits_stored or bits) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }
    if is_color:
        elements["PlanarConfiguration"] = 0
    dataset = to_dataset(elements)
    if syntax in ENCODERS:
        frames = pixels if "NumberOfFrames" in elements else pixels[None]
        value = encapsulate([ENCODERS[syntax](frame) for frame in frames])
        dataset.add_new("PixelData", "OB", value)
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.add_new("PixelData", "OW", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.ImplementationClassUID = UID(uid("implementation"))
    dataset.file_meta.ImplementationVersionName = "XDICOM_TESTDATA"
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def to_dataset(elements: dict[str, Any]) -> Dataset:
    """A data set of values by keyword; lists of dictionaries are sequences, None leaves an element out."""
    dataset = Dataset()
    for keyword, value in elements.items():
        if value is None:
            continue
        vr = dictionary_VR(keyword)
        if vr == "SQ":
            setattr(dataset, keyword, DicomSequence([to_dataset(item) for item in value]))
        elif " or " in vr:
            dataset.add_new(keyword, "OW" if isinstance(value, bytes) else "SS" if np.min(value) < 0 else "US", value)
        else:
            setattr(dataset, keyword, value)
    return dataset


def encode_jpeg_ls(frame: Array) -> bytes:
    """JPEG-LS without loss; the stream knows no sign, so signed samples go as their bits (PS3.5 8.2.3)."""
    return bytes(imagecodecs.jpegls_encode(frame.view(f"u{frame.dtype.itemsize}")))


def encode_jpeg_2000(frame: Array) -> bytes:
    """JPEG 2000 without loss, 12 bits."""
    return bytes(imagecodecs.jpeg2k_encode(frame, codecformat="j2k", reversible=True, bitspersample=12))


def encode_rle(frame: Array) -> bytes:
    """One segment a sample of 8 bits, rows packed by themselves (PS3.5 annex G)."""
    planes = np.moveaxis(frame, -1, 0)
    segments = [b"".join(bytes(imagecodecs.packbits_encode(np.ascontiguousarray(row))) for row in plane) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64 + sum(map(len, segments[:i])) for i in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


ENCODERS: dict[str, Callable[[Array], bytes]] = {JPEG_LS: encode_jpeg_ls, JPEG_2000: encode_jpeg_2000, RLE: encode_rle}
"""Encoder of each encapsulated transfer syntax."""


def encapsulate(streams: list[bytes]) -> bytes:
    """Pixel data of one fragment a frame, with a Basic Offset Table (PS3.5 A.4)."""
    items = [struct.pack("<HHI", 0xFFFE, 0xE000, len(stream) + len(stream) % 2) + stream + b"\0" * (len(stream) % 2) for stream in streams]
    offsets = [sum(map(len, items[:i])) for i in range(len(items))]
    return struct.pack(f"<HHI{len(items)}I", 0xFFFE, 0xE000, 4 * len(items), *offsets) + b"".join(items)


def one_line_each(answers: dict[str, dict[str, Any]]) -> str:
    """JSON with each answer on a line of its own."""
    studies = []
    for name, found in answers.items():
        lines = ",\n".join(f"  {json.dumps(question)}: {json.dumps(answer)}" for question, answer in found.items())
        studies.append(f" {json.dumps(name)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(studies) + "\n}\n"


STUDIES = {"ct": make_ct, "mr_enhanced.dcm": make_mr, "us_cine.dcm": make_cine, "palette.dcm": make_palette, "pet": make_pet}

if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
