"""Compares the names that the emulator knows with those of the newest SDKs; run with `python -m schema`."""
