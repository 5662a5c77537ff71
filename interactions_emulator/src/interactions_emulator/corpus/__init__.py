"""Reads, indexes and searches the local documents that the emulator uses instead of the web."""
