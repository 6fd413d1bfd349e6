"""Watching a training that PyTorch makes: its signals, and its translation into a recipe."""
