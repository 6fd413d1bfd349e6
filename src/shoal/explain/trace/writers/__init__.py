"""How each kind of layer says its working: formulas with their values."""
