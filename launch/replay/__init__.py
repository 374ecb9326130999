"""`reverie replay`: recorded runs, looked at, verified bit for bit, or acted again."""
