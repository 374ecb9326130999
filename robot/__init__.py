"""The robot's side of Reverie, and the words that both sides share. Never imports torch."""
