"""How a training is shown: pictures of its record."""
