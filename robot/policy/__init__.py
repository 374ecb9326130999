"""The robot process: observe, choose, apply, record, send."""
