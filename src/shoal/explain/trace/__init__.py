"""Every number of one training step."""
