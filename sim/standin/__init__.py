"""Stand-ins: twins that speak a device's own protocol, so that its real driver can be run."""
