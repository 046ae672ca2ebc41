"""Settings, events, errors and grids: what every other room shares, without jax and Qt."""
