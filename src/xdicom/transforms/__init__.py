"""Numbers to numbers: every stage of the pixel pipeline as pure numpy functions of any shape."""
