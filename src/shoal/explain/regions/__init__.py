"""What networks of straight pieces do with their input."""
