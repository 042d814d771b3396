"""A small network that lights and blends the mouth region after warp and paint."""
