"""Reads and checks what clients send, without HTTP: create requests, their steps, and fields of other bodies."""
