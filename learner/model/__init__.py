"""World models: networks, latents, dynamics, heads and their objectives."""
