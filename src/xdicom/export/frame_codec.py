"""The Zarr codec `xdicom.frame`: frames as they lie in DICOM files are chunks, and reading them is decoding them."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer
from zarr.registry import register_codec

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.decode import decode_frame

NAME = "xdicom.frame"
"""Name of the codec in the metadata of arrays, and of its entry point in the group `zarr.codecs`."""
_ITEM = b"\xfe\xff\x00\xe0"


@dataclass(frozen=True)
class FrameCodec(ArrayBytesCodec):
    """Chunks of one frame (or several, where native frames begin within a byte) in a DICOM transfer syntax.

    The bytes of a chunk are those of the frame in the file: of a native frame its cells, of an encapsulated one everything
    from the tag of its first item on, so that one range serves any number of fragments. What follows the last fragment is
    ignored. It reads and does not write.
    """

    is_fixed_size = False

    encodings: tuple[PixelEncoding, ...]
    """How the frames are encoded: one, or a native and an encapsulated one, which frames tell by beginning with an item tag."""

    def __post_init__(self) -> None:
        if len(self.encodings) > 2 or len({encoding.is_encapsulated for encoding in self.encodings}) != len(self.encodings):
            raise ValueError("frames of an array have one encoding, or a native and an encapsulated one")
        if len({(encoding.frame_shape, encoding.dtype) for encoding in self.encodings}) > 1:
            raise ValueError("frames of an array have one shape and type")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The codec of an array's metadata."""
        return cls(tuple(PixelEncoding(**encoding) for encoding in data["configuration"]["encodings"]))

    def to_dict(self) -> dict[str, Any]:
        """The codec as an array's metadata has it."""
        return {"name": NAME, "configuration": {"encodings": [asdict(encoding) for encoding in self.encodings]}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Unknown before a chunk is read."""
        raise NotImplementedError

    def decode_chunk(self, data: bytes | memoryview, shape: tuple[int, ...]) -> np.ndarray:
        """Stored values of a chunk, of the shape that chunks have.

        Raises
        ------
        PixelDataError
            Where the bytes are not those of the frames.
        UnsupportedEncodingError
            Where the encoding is not read.
        """
        encoding = self.encodings[0]
        if len(self.encodings) > 1:
            is_encapsulated = bytes(memoryview(data)[:4]) == _ITEM
            encoding = next(each for each in self.encodings if each.is_encapsulated == is_encapsulated)
        pixels = int(np.prod(encoding.frame_shape))
        count, rest = divmod(int(np.prod(shape, dtype=np.int64)), pixels)
        if rest:
            raise PixelDataError(f"chunks of {' x '.join(map(str, shape))} hold no whole frames of {encoding.frame_shape}")
        if count == 1:
            return decode_frame(data, encoding).reshape(shape)
        view, out = memoryview(data), np.zeros((count, *encoding.frame_shape), encoding.dtype)
        for number in range(1, count + 1):
            offset, length = encoding.native_span(number)
            if offset + length <= len(view):  # at the end of a series, a chunk reaches beyond the last frame
                out[number - 1] = decode_frame(view[offset : offset + length], encoding, number)
        return out.reshape(shape)

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        values = self.decode_chunk(chunk_bytes.to_bytes(), chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(values)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)

    def _encode_sync(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:  # noqa: ARG002
        raise UnsupportedEncodingError(f"an array with the codec {NAME} is read, not written: write a copy with .dicom.to_zarr()")

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        return self._encode_sync(chunk_array, chunk_spec)


register_codec(NAME, FrameCodec)
