"""Controlled experiments: what textbooks say about training, tested on real trainings."""
