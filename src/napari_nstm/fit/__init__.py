"""The fit: a solver over an immutable state, and what it knows before it starts."""
