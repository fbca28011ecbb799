"""Jobs of a caller: asked for, planned, watched, steered, and what came of them."""
