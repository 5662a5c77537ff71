"""Texts from outside made safe, secrets removed from texts, and words that many packages use."""
