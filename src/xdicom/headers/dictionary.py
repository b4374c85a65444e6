"""The data elements that xdicom reads, with their VR and keyword (PS3.6, chapter 6): the scan needs no larger dictionary."""

from __future__ import annotations

import re

_TABLE = """
0002: 0002 UI MediaStorageSOPClassUID, 0010 UI TransferSyntaxUID
0008: 0005 CS SpecificCharacterSet, 0008 CS ImageType, 0016 UI SOPClassUID, 0018 UI SOPInstanceUID, 0019 UI PyramidUID
0008: 0020 DA StudyDate
0008: 0021 DA SeriesDate, 0022 DA AcquisitionDate, 0023 DA ContentDate, 002A DT AcquisitionDateTime, 0030 TM StudyTime
0008: 0031 TM SeriesTime, 0032 TM AcquisitionTime, 0033 TM ContentTime, 0060 CS Modality, 0064 CS ConversionType
0008: 0070 LO Manufacturer, 0100 SH CodeValue, 0102 SH CodingSchemeDesignator, 0104 LO CodeMeaning, 0119 UC LongCodeValue
0008: 0120 UR URNCodeValue, 0201 SH TimezoneOffsetFromUTC, 103E LO SeriesDescription, 1090 LO ManufacturerModelName
0008: 1115 SQ ReferencedSeriesSequence, 1140 SQ ReferencedImageSequence, 1155 UI ReferencedSOPInstanceUID
0008: 1160 IS ReferencedFrameNumber, 2112 SQ SourceImageSequence, 2144 IS RecommendedDisplayFrameRate, 9007 CS FrameType
0008: 9124 SQ DerivationImageSequence, 9205 CS PixelPresentation, 9206 CS VolumetricProperties
0008: 9207 CS VolumeBasedCalculationTechnique, 9208 CS ComplexImageComponent, 9209 CS AcquisitionContrast
0010: 0020 LO PatientID, 0040 CS PatientSex, 1020 DS PatientSize, 1030 DS PatientWeight
0018: 0010 LO ContrastBolusAgent, 0020 CS ScanningSequence, 0024 SH SequenceName, 0031 LO Radiopharmaceutical, 0040 IS CineRate
0018: 0050 DS SliceThickness, 0060 DS KVP, 0080 DS RepetitionTime, 0081 DS EchoTime, 0082 DS InversionTime
0018: 0083 DS NumberOfAverages, 0086 IS EchoNumbers, 0088 DS SpacingBetweenSlices, 0091 IS EchoTrainLength, 1060 DS TriggerTime
0018: 1062 IS NominalInterval, 1063 DS FrameTime, 1065 DS FrameTimeVector, 1066 DS FrameDelay
0018: 1072 TM RadiopharmaceuticalStartTime, 1074 DS RadionuclideTotalDose, 1075 DS RadionuclideHalfLife
0018: 1078 DT RadiopharmaceuticalStartDateTime, 1081 IS LowRRValue, 1082 IS HighRRValue, 1090 IS CardiacNumberOfImages
0018: 1114 DS EstimatedRadiographicMagnificationFactor, 1120 DS GantryDetectorTilt, 1140 CS RotationDirection
0018: 1144 DS AngularStep, 1150 IS ExposureTime, 1151 IS XRayTubeCurrent
0018: 1152 IS Exposure, 1164 DS ImagerPixelSpacing, 1210 SH ConvolutionKernel, 1242 IS ActualFrameDuration
0018: 1250 SH ReceiveCoilName, 1310 US AcquisitionMatrix, 1314 DS FlipAngle, 2010 DS NominalScannedPixelSpacing
0018: 5100 CS PatientPosition, 6011 SQ SequenceOfUltrasoundRegions, 6012 US RegionSpatialFormat, 6014 US RegionDataType
0018: 6016 UL RegionFlags, 6018 UL RegionLocationMinX0, 601A UL RegionLocationMinY0, 601C UL RegionLocationMaxX1
0018: 601E UL RegionLocationMaxY1, 6020 SL ReferencePixelX0, 6022 SL ReferencePixelY0, 6024 US PhysicalUnitsXDirection
0018: 6026 US PhysicalUnitsYDirection, 6028 FD ReferencePixelPhysicalValueX, 602A FD ReferencePixelPhysicalValueY
0018: 602C FD PhysicalDeltaX, 602E FD PhysicalDeltaY, 9042 SQ MRReceiveCoilSequence, 9074 DT FrameAcquisitionDateTime
0018: 9075 CS DiffusionDirectionality, 9076 SQ DiffusionGradientDirectionSequence, 9079 FD InversionTimes
0018: 9082 FD EffectiveEchoTime, 9087 FD DiffusionBValue, 9089 FD DiffusionGradientOrientation, 9090 FD VelocityEncodingDirection
0018: 9112 SQ MRTimingAndRelatedParametersSequence, 9114 SQ MREchoSequence, 9115 SQ MRModifierSequence
0018: 9117 SQ MRDiffusionSequence, 9118 SQ CardiacSynchronizationSequence, 9119 SQ MRAveragesSequence
0018: 9125 SQ MRFOVGeometrySequence, 9151 DT FrameReferenceDateTime, 9152 SQ MRMetaboliteMapSequence
0018: 9197 SQ MRVelocityEncodingSequence, 9220 FD FrameAcquisitionDuration, 9226 SQ MRImageFrameTypeSequence
0018: 9314 SQ CTReconstructionSequence, 9321 SQ CTExposureSequence, 9325 SQ CTXRayDetailsSequence, 9326 SQ CTPositionSequence
0018: 9327 FD TablePosition, 9328 FD ExposureTimeInms, 9329 SQ CTImageFrameTypeSequence, 9330 FD XRayTubeCurrentInmA
0018: 9332 FD ExposureInmAs, 9345 FD CTDIvol, 9364 SQ MultienergyCTCharacteristicsSequence, 937C FD MonoenergeticEnergyEquivalent
0018: 9504 SQ XRay3DFrameTypeSequence, 9601 SQ DiffusionBMatrixSequence, 9602 FD DiffusionBValueXX, 9603 FD DiffusionBValueXY
0018: 9604 FD DiffusionBValueXZ, 9605 FD DiffusionBValueYY, 9606 FD DiffusionBValueYZ, 9607 FD DiffusionBValueZZ
0018: 9751 SQ PETFrameTypeSequence, 9807 SQ ImageDataTypeSequence, 9808 CS DataType
0018: 9835 SQ PhotoacousticImageFrameTypeSequence
0020: 000D UI StudyInstanceUID, 000E UI SeriesInstanceUID, 0011 IS SeriesNumber, 0012 IS AcquisitionNumber, 0013 IS InstanceNumber
0020: 0032 DS ImagePositionPatient, 0037 DS ImageOrientationPatient, 0052 UI FrameOfReferenceUID, 0060 CS Laterality
0020: 0100 IS TemporalPositionIdentifier, 0105 IS NumberOfTemporalPositions, 0110 DS TemporalResolution
0020: 0242 UI SOPInstanceUIDOfConcatenationSource, 1041 DS SliceLocation, 4000 LT ImageComments, 9056 SH StackID
0020: 9057 UL InStackPositionNumber, 9071 SQ FrameAnatomySequence, 9072 CS FrameLaterality, 9111 SQ FrameContentSequence
0020: 9113 SQ PlanePositionSequence, 9116 SQ PlaneOrientationSequence, 9128 UL TemporalPositionIndex
0020: 9153 FD NominalCardiacTriggerDelayTime, 9156 US FrameAcquisitionNumber, 9157 UL DimensionIndexValues, 9158 LT FrameComments
0020: 9161 UI ConcatenationUID, 9162 US InConcatenationNumber, 9163 US InConcatenationTotalNumber
0020: 9164 UI DimensionOrganizationUID, 9165 AT DimensionIndexPointer, 9167 AT FunctionalGroupPointer
0020: 9170 SQ UnassignedSharedConvertedAttributesSequence, 9171 SQ UnassignedPerFrameConvertedAttributesSequence
0020: 9172 SQ ConversionSourceAttributesSequence, 9221 SQ DimensionOrganizationSequence, 9222 SQ DimensionIndexSequence
0020: 9228 UL ConcatenationFrameOffsetNumber, 9241 FL NominalPercentageOfCardiacPhase, 9252 FD ActualCardiacTriggerDelayTime
0020: 9301 FD ImagePositionVolume, 9302 FD ImageOrientationVolume, 930D FD TemporalPositionTimeOffset
0020: 930E SQ PlanePositionVolumeSequence, 930F SQ PlaneOrientationVolumeSequence, 9310 SQ TemporalPositionSequence
0020: 9311 CS DimensionOrganizationType, 9421 LO DimensionDescriptionLabel, 9453 LO FrameLabel
0022: 0055 FL IlluminationWaveLength
0028: 0002 US SamplesPerPixel, 0004 CS PhotometricInterpretation, 0006 US PlanarConfiguration, 0008 IS NumberOfFrames
0028: 0009 AT FrameIncrementPointer, 0010 US Rows, 0011 US Columns, 0030 DS PixelSpacing, 0034 IS PixelAspectRatio
0028: 0051 CS CorrectedImage
0028: 0100 US BitsAllocated, 0101 US BitsStored, 0102 US HighBit, 0103 US PixelRepresentation, 0106 US|SS SmallestImagePixelValue
0028: 0107 US|SS LargestImagePixelValue, 0120 US|SS PixelPaddingValue, 0121 US|SS PixelPaddingRangeLimit
0028: 0122 FL FloatPixelPaddingValue, 0123 FD DoubleFloatPixelPaddingValue, 0124 FL FloatPixelPaddingRangeLimit
0028: 0125 FD DoubleFloatPixelPaddingRangeLimit, 0301 CS BurnedInAnnotation, 0302 CS RecognizableVisualFeatures
0028: 0A02 CS PixelSpacingCalibrationType, 1040 CS PixelIntensityRelationship, 1050 DS WindowCenter, 1051 DS WindowWidth
0028: 1052 DS RescaleIntercept, 1053 DS RescaleSlope, 1054 LO RescaleType, 1055 LO WindowCenterWidthExplanation
0028: 1056 CS VOILUTFunction, 1101 US|SS RedPaletteColorLookupTableDescriptor, 1102 US|SS GreenPaletteColorLookupTableDescriptor
0028: 1103 US|SS BluePaletteColorLookupTableDescriptor, 1104 US AlphaPaletteColorLookupTableDescriptor
0028: 1199 UI PaletteColorLookupTableUID, 1201 OW RedPaletteColorLookupTableData, 1202 OW GreenPaletteColorLookupTableData
0028: 1203 OW BluePaletteColorLookupTableData, 1204 OW AlphaPaletteColorLookupTableData
0028: 1221 OW SegmentedRedPaletteColorLookupTableData, 1222 OW SegmentedGreenPaletteColorLookupTableData
0028: 1223 OW SegmentedBluePaletteColorLookupTableData, 1224 OW SegmentedAlphaPaletteColorLookupTableData, 2000 OB ICCProfile
0028: 1401 SQ DataFrameAssignmentSequence, 1402 CS DataPathAssignment, 1403 US BitsMappedToColorLookupTable
0028: 1404 SQ BlendingLUT1Sequence, 1405 CS BlendingLUT1TransferFunction, 1406 FD BlendingWeightConstant
0028: 1407 US BlendingLookupTableDescriptor, 1408 OW BlendingLookupTableData, 140B SQ EnhancedPaletteColorLookupTableSequence
0028: 140C SQ BlendingLUT2Sequence, 140D CS BlendingLUT2TransferFunction, 140E CS DataPathID, 140F CS RGBLUTTransferFunction
0028: 1410 CS AlphaLUTTransferFunction
0028: 2002 CS ColorSpace, 2110 CS LossyImageCompression, 2112 DS LossyImageCompressionRatio, 2114 CS LossyImageCompressionMethod
0028: 3000 SQ ModalityLUTSequence, 3002 US|SS LUTDescriptor, 3003 LO LUTExplanation, 3004 LO ModalityLUTType, 3006 US|OW LUTData
0028: 3010 SQ VOILUTSequence, 3110 SQ SoftcopyVOILUTSequence, 9110 SQ PixelMeasuresSequence, 9132 SQ FrameVOILUTSequence
0028: 9145 SQ PixelValueTransformationSequence, 9422 SQ PixelIntensityRelationshipLUTSequence
0028: 9443 SQ FramePixelDataPropertiesSequence
0040: 072A DS XOffsetInSlideCoordinateSystem, 073A DS YOffsetInSlideCoordinateSystem, 074A DS ZOffsetInSlideCoordinateSystem
0040: 08EA SQ MeasurementUnitsCodeSequence, 9096 SQ RealWorldValueMappingSequence, 9210 SH LUTLabel
0040: 9211 US|SS RealWorldValueLastValueMapped, 9212 FD RealWorldValueLUTData, 9213 FD DoubleFloatRealWorldValueLastValueMapped
0040: 9214 FD DoubleFloatRealWorldValueFirstValueMapped, 9216 US|SS RealWorldValueFirstValueMapped
0040: 9220 SQ QuantityDefinitionSequence, 9224 FD RealWorldValueIntercept, 9225 FD RealWorldValueSlope
0048: 0001 FL ImagedVolumeWidth, 0002 FL ImagedVolumeHeight, 0003 FL ImagedVolumeDepth, 0006 UL TotalPixelMatrixColumns
0048: 0007 UL TotalPixelMatrixRows, 0008 SQ TotalPixelMatrixOriginSequence, 0010 CS SpecimenLabelInImage, 0011 CS FocusMethod
0048: 0012 CS ExtendedDepthOfField, 0015 US RecommendedAbsentPixelCIELabValue
0048: 0102 DS ImageOrientationSlide, 0105 SQ OpticalPathSequence, 0106 SH OpticalPathIdentifier
0048: 0108 SQ IlluminationColorCodeSequence
0048: 0107 ST OpticalPathDescription, 0207 SQ OpticalPathIdentificationSequence, 021A SQ PlanePositionSlideSequence
0048: 021E SL ColumnPositionInTotalImagePixelMatrix, 021F SL RowPositionInTotalImagePixelMatrix, 0302 UL NumberOfOpticalPaths
0048: 0303 UL TotalPixelMatrixFocalPlanes
0054: 0010 US EnergyWindowVector, 0011 US NumberOfEnergyWindows, 0012 SQ EnergyWindowInformationSequence
0054: 0013 SQ EnergyWindowRangeSequence, 0014 DS EnergyWindowLowerLimit, 0015 DS EnergyWindowUpperLimit
0054: 0016 SQ RadiopharmaceuticalInformationSequence, 0018 SH EnergyWindowName, 0020 US DetectorVector, 0021 US NumberOfDetectors
0054: 0022 SQ DetectorInformationSequence, 0030 US PhaseVector, 0031 US NumberOfPhases, 0032 SQ PhaseInformationSequence
0054: 0033 US NumberOfFramesInPhase, 0036 IS PhaseDelay, 0038 IS PauseBetweenFrames, 0052 SQ RotationInformationSequence
0054: 0200 DS StartAngle
0054: 0050 US RotationVector, 0051 US NumberOfRotations, 0060 US RRIntervalVector
0054: 0061 US NumberOfRRIntervals, 0070 US TimeSlotVector, 0071 US NumberOfTimeSlots, 0080 US SliceVector, 0081 US NumberOfSlices
0054: 0090 US AngularViewVector, 0100 US TimeSliceVector, 0101 US NumberOfTimeSlices, 1000 CS SeriesType, 1001 CS Units
0054: 1002 CS CountsSource, 1006 CS SUVType, 1102 CS DecayCorrection, 1300 DS FrameReferenceTime, 1321 DS DecayFactor
0054: 1322 DS DoseCalibrationFactor, 1330 US ImageIndex
0062: 0001 CS SegmentationType, 0002 SQ SegmentSequence, 0003 SQ SegmentedPropertyCategoryCodeSequence, 0004 US SegmentNumber
0062: 0005 LO SegmentLabel, 0006 ST SegmentDescription, 0008 CS SegmentAlgorithmType, 000A SQ SegmentIdentificationSequence
0062: 000B US ReferencedSegmentNumber, 000D US RecommendedDisplayCIELabValue, 000E US MaximumFractionalValue
0062: 000F SQ SegmentedPropertyTypeCodeSequence, 0010 CS SegmentationFractionalType, 0013 CS SegmentsOverlap
0088: 0200 SQ IconImageSequence
2050: 0010 SQ PresentationLUTSequence, 0020 CS PresentationLUTShape
3004: 0002 CS DoseUnits, 0004 CS DoseType, 000A CS DoseSummationType, 000C DS GridFrameOffsetVector, 000E DS DoseGridScaling
5200: 9229 SQ SharedFunctionalGroupsSequence, 9230 SQ PerFrameFunctionalGroupsSequence
7FE0: 0001 OV ExtendedOffsetTable, 0002 OV ExtendedOffsetTableLengths, 0008 OF FloatPixelData, 0009 OD DoubleFloatPixelData
7FE0: 0010 OB|OW PixelData
"""
"""One line a group: element, VR (alternatives joined by a bar) and keyword, separated by commas."""

_OVERLAY = """
0010 US OverlayRows, 0011 US OverlayColumns, 0015 IS NumberOfFramesInOverlay, 0022 LO OverlayDescription, 0040 CS OverlayType,
0045 LO OverlaySubtype, 0050 SS OverlayOrigin, 0051 US ImageFrameOrigin, 0100 US OverlayBitsAllocated, 0102 US OverlayBitPosition,
1500 LO OverlayLabel, 3000 OB|OW OverlayData
"""
"""Elements of the repeating groups 6000 to 601E (PS3.3 C.9.2)."""

_PRIVATE = """
0019 SIEMENS MR HEADER: 0A US MosaicImages, 0C IS DiffusionBValue, 0D CS DiffusionDirectionality, 0E FD DiffusionGradientDirection
0019 SIEMENS MR HEADER: 27 FD BMatrix, 29 FD MosaicSliceTimes
0043 GEMS_PARM_01: 2F SS ComplexImageKind, 39 IS DiffusionParameters
0019 GEMS_ACQU_01: BB DS DiffusionX, BC DS DiffusionY, BD DS DiffusionZ
2001 Philips Imaging DD 001: 03 FL DiffusionBValue, 04 CS DiffusionDirection, 08 IS PhaseNumber
2005 Philips MR Imaging DD 001: 0D FL ScaleIntercept, 0E FL ScaleSlope, 11 CS ComplexImageKind, A0 FL DynamicTime
2005 Philips MR Imaging DD 001: B0 FL DiffusionRL, B1 FL DiffusionAP, B2 FL DiffusionFH
2005 Philips MR Imaging DD 005: 12 IS DiffusionBValueNumber, 13 IS GradientOrientationNumber, 29 CS LabelType
0065 Image Private Header: 09 FD DiffusionBValueActual, 0A FD DiffusionBValue, 37 FD DiffusionGradientDirection, 50 DS GridSlices
0065 Image Private Header: 51 SQ GridSliceSequence
0009 GEMS_PETD_01: 0D DT ScanDatetime
7053 Philips PET Private Group: 00 DS SuvScaleFactor, 09 DS ActivityConcentrationScaleFactor
"""
"""Vendors' elements: group and private creator, then low byte of the element, VR and a name of ours (PS3.5 7.8.1)."""


def _parse(table: str) -> dict[int, tuple[str, str]]:
    entries: dict[int, tuple[str, str]] = {}
    for line in table.strip().splitlines():
        group, elements = line.split(":")
        for element in elements.split(","):
            number, vr, keyword = element.split()
            entries[int(group + number, 16)] = (vr, keyword)
    return entries


def _parse_overlays() -> dict[int, tuple[str, str]]:
    entries = [entry.split() for entry in _OVERLAY.replace("\n", " ").split(",")]
    return {(0x6000 + plane) << 16 | int(number, 16): (vr, keyword) for plane in range(0, 0x20, 2) for number, vr, keyword in entries}


def _parse_private() -> dict[tuple[int, str, int], tuple[str, str]]:
    entries: dict[tuple[int, str, int], tuple[str, str]] = {}
    for line in _PRIVATE.strip().splitlines():
        block, elements = line.split(":")
        group, creator = block.split(" ", 1)
        for element in elements.split(","):
            number, vr, name = element.split()
            entries[int(group, 16), creator, int(number, 16)] = (vr, name)
    return entries


PUBLIC: dict[int, tuple[str, str]] = _parse(_TABLE)
"""VR and keyword of each public element that is read, by tag."""

OVERLAYS: dict[int, tuple[str, str]] = _parse_overlays()
"""VR and keyword of the elements of overlay planes, by tag."""

PRIVATE: dict[tuple[int, str, int], tuple[str, str]] = _parse_private()
"""VR and name of vendors' elements, by group, private creator and low byte of the element."""

PRIVATE_GROUPS = frozenset(group for group, _, _ in PRIVATE)
"""Groups in which vendors' elements are looked for."""

PRIVATE_PLACES = frozenset(group << 16 | low for group, _, low in PRIVATE)
"""Group and low byte of those elements, whichever block they are in."""

TAGS: dict[str, int] = {keyword: tag for tag, (_, keyword) in PUBLIC.items()}
"""Tag of each public element that is read, by keyword."""


def to_snake_case(keyword: str) -> str:
    """A DICOM keyword as a Python name.

    Examples
    --------
    >>> to_snake_case("SOPInstanceUID"), to_snake_case("VOILUTFunction"), to_snake_case("KVP")
    ('sop_instance_uid', 'voi_lut_function', 'kvp')
    """
    words = re.sub(r"(VOI|RT|MR|CT|PET|RR|SUV)(?=LUT|[A-Z][a-z])", r"\1_", keyword)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).replace("__", "_").lower()


NAMES: dict[int, str] = {tag: to_snake_case(keyword) for tag, (_, keyword) in PUBLIC.items()}
"""Name of the column of each public element, by tag."""
