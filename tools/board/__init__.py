"""A web page of one's own research runs: for `desk serve`, and for one person's machine by `desk board`."""
