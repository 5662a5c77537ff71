"""The documents that the emulator searches instead of the web: where they come from, and their full-text index."""
