"""What a world model learns of a recorded robot's motion, beside models as simple as can be."""
