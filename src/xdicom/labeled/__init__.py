"""Arrays with dimensions, coordinates, attributes and the meaning of their values."""
