"""Pictures of a training and of what was trained."""
