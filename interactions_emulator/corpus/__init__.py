"""The documents that the emulator searches instead of the web: reads, indexes and searches them."""
