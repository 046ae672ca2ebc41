"""Targets and known motions, for samples and tests."""
