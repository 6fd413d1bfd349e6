"""Derivatives beside central differences."""
