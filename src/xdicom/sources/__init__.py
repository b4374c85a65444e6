"""Bytes from anywhere: what lies at a location, and any stretch of it."""

from __future__ import annotations

from xdicom.sources.chain import inflate_of, is_local, span_of, split_chain
from xdicom.sources.counters import Statistics, Traffic, reset_statistics, statistics
from xdicom.sources.heads import heads_block, read_heads, read_heads_into
from xdicom.sources.locate import Location, locate
from xdicom.sources.options import PublicOptions, public_options, set_storage_options, using_options
from xdicom.sources.ranges import read_into, read_many, read_many_into, read_range, read_ranges, whole
from xdicom.sources.source import Source

__all__ = [
    "Location",
    "PublicOptions",
    "Source",
    "Statistics",
    "Traffic",
    "heads_block",
    "inflate_of",
    "is_local",
    "locate",
    "public_options",
    "read_heads",
    "read_heads_into",
    "read_into",
    "read_many",
    "read_many_into",
    "read_range",
    "read_ranges",
    "reset_statistics",
    "set_storage_options",
    "span_of",
    "split_chain",
    "statistics",
    "using_options",
    "whole",
]
