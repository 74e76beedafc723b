"""What `make bench` runs: each promise about speed and memory, beside its yardstick. No tests of right or wrong."""
