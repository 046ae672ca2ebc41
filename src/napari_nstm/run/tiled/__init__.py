"""A field in tiles: planned once, fitted tile by tile in any order and on any machine, then blended."""
