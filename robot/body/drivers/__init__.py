"""One file per machine; a vendor library is imported inside `connect` only."""
