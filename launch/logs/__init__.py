"""`reverie logs`: checks, shows, repairs, cuts, merges and prunes logs, record by record."""
