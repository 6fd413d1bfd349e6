"""The rules of the doctor: one table, a small function for each."""
