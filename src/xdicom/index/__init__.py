"""Many headers to one ordered whole."""
