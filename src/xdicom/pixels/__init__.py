"""One frame's bytes in, one frame's stored values out: the only room that names a codec library."""
