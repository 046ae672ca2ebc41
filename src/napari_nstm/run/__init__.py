"""A job from start to end."""
