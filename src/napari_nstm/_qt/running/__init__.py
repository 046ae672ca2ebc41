"""During a run: its process, its bar, its pictures, and how its result arrives."""
