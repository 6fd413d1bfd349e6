"""Activations on one page."""
