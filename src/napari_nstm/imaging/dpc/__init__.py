"""Differential phase contrast."""
