"""What is done with a world model: actor-critic, returns, exploration."""
