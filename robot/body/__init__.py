"""The body process: owns the motors and is the last guard before them."""
