"""Tests of the brain that is a model behind an OpenAI-compatible address."""
