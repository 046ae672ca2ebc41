"""Numbers about results: metrics."""
