"""One image of a whole slide to one instance of tiles in full order (PS3.3 A.32.8, C.7.6.17.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, UnsupportedEncodingError
from xdicom.export.dicom_elements import Elements, set_element, tag_and_vr, texts_of
from xdicom.export.dicom_frame_groups import PER_FRAME, SHARED
from xdicom.export.dicom_header import clean, put_in, set_attributes
from xdicom.export.dicom_kept import kept_headers
from xdicom.export.dicom_marks import add_loss, describe_pixels, mark_derived, wanted_elements
from xdicom.export.dicom_multiframe import OF_CONCATENATIONS, write_multiframe
from xdicom.export.dicom_origins import urls_of
from xdicom.export.dicom_pixels import Form
from xdicom.export.dicom_plan import Choices, HeaderPlace, Place, Plan, SeriesPlan, WrittenDicom
from xdicom.export.dicom_planes import line_of
from xdicom.export.dicom_planning import describe, new_uids
from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue
from xdicom.index.slides import SLIDE
from xdicom.labeled.origins import locate_frames
from xdicom.labeled.parameters import RGB, STORED
from xdicom.lazy.blocks import Report
from xdicom.lazy.cells import Array
from xdicom.lazy.cutting import cut_into_tiles
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.encode import ENCODERS, check_writable, transfer_syntax_of, written_encoding
from xdicom.sources.folders import Folder
from xdicom.sources.options import public_options, using_options

_OUTER = ("optical_path", "z")
"""Dimensions across images, in the order of frames."""
_PHOTOMETRIC = ("MONOCHROME2", "RGB", "YBR_RCT", "YBR_ICT")
"""Photometric interpretations of slides that are written (PS3.3 C.8.12.4.1.5)."""
_OF_PYRAMIDS = ("PyramidUID", "PyramidLabel", "PyramidDescription")
_DEFAULT_TILE = 256
_EVEN_SHARE = 1e-3


def is_slide_image(array: xr.DataArray) -> bool:
    """Whether an array is an image of a whole slide, or was made of one and kept its dimensions."""
    return array.attrs.get("sop_class_uid") == SLIDE and {"y", "x"} <= set(array.dims) and array.name in (STORED, RGB)


def plan_slide(array: xr.DataArray, choices: Choices) -> tuple[Array, SeriesPlan]:
    """Tiles of an image of a slide, and all that is written besides.

    Raises
    ------
    InconsistentSeriesError
        If labels don't say where it lies on the slide, or no header of its source is known.
    UnsupportedEncodingError
        If its colors or its dimensions are none that a slide has.
    ValueError
        If its values can't be stored in the form that was asked for.
    """
    unknown = [str(dim) for dim in array.dims if dim not in (*_OUTER, "y", "x", "sample")]
    if unknown:
        raise UnsupportedEncodingError(
            f"an image of a slide has no dimension {unknown[0]}: select one step, as with array.isel({unknown[0]}=0)"
        )
    if choices.rescale is not None or choices.keep_uids:
        raise ValueError("slides are written with values as they are, under a new identity: leave rescale= and keep_uids= out")
    outer = [dim for dim in _OUTER if dim in array.dims]
    array = array.transpose(*outer, "y", "x", *(["sample"] if "sample" in array.dims else []))
    place = _place_of_header(array)
    options = public_options(urls_of([place]))
    with using_options(options):
        header = place.read()
    form = form_of_tiles(array, choices)
    values = array.data if array.chunks is not None else array.chunk().data
    encoding = form.encoding
    tiles = cut_into_tiles(values, (encoding.rows, encoding.columns), array.sizes.get("sample", 0))
    dims = tiles.ndim - 2 - ("sample" in array.dims)
    count = int(np.prod(tiles.shape[:dims], dtype=np.int64))
    *_, study_uid, own_series_uid = new_uids(0, choices.uid_seed)
    series_uid = choices.series_uid or own_series_uid
    (uid, *_) = new_uids(1, None if choices.uid_seed is None else f"{choices.uid_seed}\ninstance")
    shared = describe_pixels(form)
    set_element(shared, "SeriesInstanceUID", series_uid)
    set_element(shared, "InstanceNumber", choices.instance_number)
    if choices.pyramid_uid is not None:
        set_element(shared, "PyramidUID", choices.pyramid_uid)
    set_element(shared, "StudyInstanceUID", next(iter(texts_of(header, "StudyInstanceUID")), "") or study_uid)
    describe(shared, header, {}, choices, str(array.attrs.get("lossy_image_compression", "")), keeps=False)
    wanted, dropped = wanted_elements(choices.attributes)
    source = next(iter(texts_of(header, "SOPInstanceUID")), "")
    encoder = ENCODERS.get(encoding.transfer_syntax_uid)
    plan = Plan(
        rows=np.arange(count), uids=(uid,) * count, form=form, headers=None, template=_settled(header, array), shared=shared,
        dropped=dropped, positions_mm=None, orientation=None, spacing_mm=None, step_mm=None, instance_number=np.ones(count, np.int64),
        labels={}, windows=None, rescale=None, sources=((SLIDE, source),) * count, is_rescaled=array.name != STORED,
        lossy="" if encoder is None else encoder.lossy_method, attributes=wanted, options=options,
    )  # fmt: skip
    return tiles, SeriesPlan(plan, dims, series_uid, (np.arange(count),), None, places=(place,))


def _place_of_header(array: xr.DataArray) -> HeaderPlace:
    """Header of the first instance of the source: in its file, or kept with the labels."""
    located = locate_frames(array)
    if located is not None:
        frames, rows = located
        instance = frames.instance[rows[0]]
        return Place(frames.instances.urls[instance], int(frames.offset[frames.instance == instance].min()))
    kept = next((each for each in kept_headers(array) or () if each is not None), None)
    if kept is None:
        raise InconsistentSeriesError(
            "no header of the slide is known: open it in this process with open_slide() first, or keep headers with dicom.keep_headers()"
        )
    return kept


def write_slide(tiles: Array, series: SeriesPlan, folder: Folder, names: list[str], progress: bool | Report) -> WrittenDicom:
    """Write the tiles that `plan_slide` has cut."""
    return write_multiframe(tiles, series, folder, names, progress, make_header=slide_header)


def slide_header(series: SeriesPlan, _rows: np.ndarray, loss_ratio: float, _extremes: tuple[float, float]) -> Elements:
    """Header of the instance."""
    plan = series.plan
    elements = dict(plan.template)
    clean(elements, plan, is_resized=False)
    set_element(elements, "NumberOfFrames", len(plan.rows))
    put_in(elements, plan.shared)
    set_element(elements, "SOPInstanceUID", plan.uids[0])
    mark_derived(elements, plan.sources[0])
    sop_class, uid = plan.sources[0] or (SLIDE, "")
    if uid and TAGS["SeriesInstanceUID"] in plan.template:
        instances = [{"ReferencedSOPClassUID": sop_class, "ReferencedSOPInstanceUID": uid}]
        of_series = plan.template[TAGS["SeriesInstanceUID"]]
        reference: dict[Any, Any] = {TAGS["SeriesInstanceUID"]: of_series, "ReferencedInstanceSequence": instances}
        set_element(elements, "ReferencedSeriesSequence", [reference])
    if plan.lossy:
        add_loss(elements, plan.lossy, loss_ratio)
    set_attributes(elements, plan)
    return elements


def form_of_tiles(array: xr.DataArray, choices: Choices) -> Form:
    """Encoding of the tiles that an image of a slide is written in.

    Raises
    ------
    UnsupportedEncodingError, ValueError
        As for `plan_slide`.
    """
    if array.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ValueError(
            f"values are {array.dtype}, and a slide holds uint8 and uint16: array.astype('uint8') where that is what they mean"
        )
    samples = array.sizes.get("sample", 1)
    stated = str(array.attrs.get("photometric_interpretation", "RGB" if samples == 3 else "MONOCHROME2"))
    if array.attrs.get("color_space"):
        raise UnsupportedEncodingError(
            "colors were taken through the slide's ICC profile, which stays in its header: write what to_rgb() makes"
        )
    photometric = "RGB" if array.name == RGB or stated in ("YBR_RCT", "YBR_ICT") else stated
    if samples not in (1, 3) or photometric not in _PHOTOMETRIC:
        raise UnsupportedEncodingError(f"a slide is not written in {photometric} of {samples} samples: write what to_rgb() makes")
    bits = 8 * array.dtype.itemsize
    is_same = int(array.attrs.get("bits_allocated", 0)) == bits and array.name == STORED
    stored = choices.bits_stored or (int(array.attrs["bits_stored"]) if is_same and "bits_stored" in array.attrs else bits)
    rows, columns = (int(array.attrs.get(name, _DEFAULT_TILE)) for name in ("tile_rows", "tile_columns"))
    encoding = written_encoding(
        PixelEncoding(
            transfer_syntax_of(choices.transfer_syntax), rows,
            columns, samples_per_pixel=samples, bits_allocated=bits, bits_stored=stored,
            high_bit=stored - 1, photometric_interpretation=photometric,
        )
    )  # fmt: skip
    check_writable(encoding, choices.loss)
    return Form(encoding, choices.loss)


def _settled(header: Elements, array: xr.DataArray) -> Elements:
    """The header of the source with size, place and organization of the array."""
    elements = dict(header)
    shared = _first_item(elements, SHARED)
    per_frame = _first_item(elements, PER_FRAME)
    elements.pop(PER_FRAME, None)
    for keyword in (*OF_CONCATENATIONS, *_OF_PYRAMIDS):
        set_element(elements, keyword, None)
    directions, origin, spacing = _place(array)
    rows, columns = array.sizes["y"], array.sizes["x"]
    for keyword, value in {
        "TotalPixelMatrixRows": rows,
        "TotalPixelMatrixColumns": columns,
        "TotalPixelMatrixFocalPlanes": array.sizes.get("z", 1),
        "DimensionOrganizationType": "TILED_FULL",
        "ImageOrientationSlide": directions,
        "ImagedVolumeWidth": columns * spacing[1],
        "ImagedVolumeHeight": rows * spacing[0],
    }.items():
        set_element(elements, keyword, value)
    items = _items(elements, "TotalPixelMatrixOriginSequence") or [{}]
    set_element(items[0], "XOffsetInSlideCoordinateSystem", float(origin[0]))
    set_element(items[0], "YOffsetInSlideCoordinateSystem", float(origin[1]))
    set_element(elements, "TotalPixelMatrixOriginSequence", items[:1])
    measures = (_items(shared, "PixelMeasuresSequence") or _items(per_frame, "PixelMeasuresSequence") or [{}])[0]
    is_resampled = tuple(measures[TAGS["PixelSpacing"]].numbers() if TAGS["PixelSpacing"] in measures else ()) != spacing
    set_element(measures, "PixelSpacing", list(spacing))
    _set_focal_planes(elements, measures, array)
    set_element(shared, "PixelMeasuresSequence", [measures])
    set_element(shared, "PlanePositionSlideSequence", None)
    _set_kinds(elements, shared, is_resampled=is_resampled and bool(spacing))
    _set_optical_paths(elements, shared, array)
    set_element(elements, "SharedFunctionalGroupsSequence", [shared])
    return elements


def _place(array: xr.DataArray) -> tuple[list[float], np.ndarray, tuple[float, float]]:
    """Directions of a row and a column, place of the first pixel, and distances of rows and columns [mm]."""
    (y_first, y_step), (x_first, x_step) = line_of(array, "y"), line_of(array, "x")
    if "affine" not in array.attrs or y_first is None or x_first is None or y_step is None or x_step is None:
        raise InconsistentSeriesError(
            "labels don't say where the image lies on the slide: give the coordinates y and x and the attributes of the image that it was "
            "made of, as with array.assign_attrs(level.attrs)"
        )
    opened = np.array(array.attrs["affine"], float)
    along_row, along_column = (opened[:3, i] / np.linalg.norm(opened[:3, i]) for i in (0, 1))
    corner = opened[:3, 3]
    origin = corner + (x_first - corner @ along_row) * along_row + (y_first - corner @ along_column) * along_column
    directions = [*(np.sign(x_step) * along_row), *(np.sign(y_step) * along_column)]
    return [float(each) + 0.0 for each in directions], origin, (abs(y_step), abs(x_step))


def _set_focal_planes(elements: Elements, measures: Elements, array: xr.DataArray) -> None:
    """Distance of focal planes, and the height of the first one."""
    if array.sizes.get("z", 1) == 1 and "z" not in array.coords:
        return
    heights_um = np.atleast_1d(np.asarray(array.coords["z"].values, float)) if "z" in array.coords else np.zeros(0)
    steps = np.diff(heights_um)
    if len(heights_um) != array.sizes.get("z", 1) or (len(steps) and (np.ptp(steps) > _EVEN_SHARE * abs(steps[0]) or steps[0] <= 0)):
        raise UnsupportedEncodingError(
            "focal planes of a slide in full order are evenly spaced, from the lowest on: select such, or one of them"
        )
    if len(steps):
        set_element(measures, "SpacingBetweenSlices", float(steps.mean()) / 1000)
    (origin, *_) = _items(elements, "TotalPixelMatrixOriginSequence")
    set_element(origin, "ZOffsetInSlideCoordinateSystem", float(heights_um[0]))
    set_element(elements, "TotalPixelMatrixOriginSequence", [origin])


def _set_kinds(elements: Elements, shared: Elements, *, is_resampled: bool) -> None:
    """Value 4 of Image Type, and the type of frames (PS3.3 C.8.12.4.1.1)."""
    kinds = [*texts_of(elements, "ImageType"), *("DERIVED", "PRIMARY", "VOLUME", "NONE")[len(texts_of(elements, "ImageType")) :]]
    kinds = ["DERIVED", *kinds[1:3], "RESAMPLED" if is_resampled else kinds[3]]
    set_element(elements, "ImageType", kinds)
    set_element(shared, "WholeSlideMicroscopyImageFrameTypeSequence", [{"FrameType": kinds}])


def _set_optical_paths(elements: Elements, shared: Elements, array: xr.DataArray) -> None:
    """Optical paths that the array has, in its order."""
    items = _items(elements, "OpticalPathSequence")
    if "optical_path" in array.coords:
        known = {next(iter(texts_of(item, "OpticalPathIdentifier")), ""): item for item in items}
        names = [str(name) for name in np.atleast_1d(array.coords["optical_path"].values)]
        if not set(names) <= set(known):
            raise InconsistentSeriesError("optical_path names paths that the header of the slide does not describe")
        items = [known[name] for name in names]
        set_element(elements, "OpticalPathSequence", items)
    if items:
        set_element(elements, "NumberOfOpticalPaths", len(items))
    if len(items) > 1:
        set_element(shared, "OpticalPathIdentificationSequence", None)


def _items(elements: Elements, keyword: str) -> list[dict[int, RawValue]]:
    tag, _ = tag_and_vr(keyword)
    return [dict(item) for item in elements[tag].items()] if tag in elements else []


def _first_item(elements: Elements, tag: int) -> dict[int, Any]:
    items = elements[tag].items() if tag in elements else []
    return dict(items[0]) if items else {}
