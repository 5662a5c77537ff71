"""Addresses from outside: their parts and limits, which are public, and requests that reach public ones only."""
