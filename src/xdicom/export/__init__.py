"""Labelled arrays to files of other formats."""
