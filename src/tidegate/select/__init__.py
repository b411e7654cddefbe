"""The select station: ImagePolicy. Everything but its controller is pure."""
