"""Words that every room speaks: frozen values, numpy only, no I/O."""
