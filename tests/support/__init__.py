"""Helpers shared by the tests that drive the real program."""
