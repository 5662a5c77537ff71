"""How fast the desk is, beside ADK and the SDK as they are: `make bench`."""
