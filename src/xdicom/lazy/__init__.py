"""The only room that names dask."""
