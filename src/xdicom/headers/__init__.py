"""Bytes of a header to values; the only room where a pydicom Dataset may appear."""
