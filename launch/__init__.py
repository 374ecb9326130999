"""One file per command of `reverie`; the only package that knows all the others."""
