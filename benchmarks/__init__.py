"""What Tidegate's speed and memory are on this machine: `make bench`. Ratios within one run count, not seconds."""
