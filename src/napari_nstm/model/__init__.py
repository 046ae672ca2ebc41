"""Encodings, networks and the space-time model made of them."""
