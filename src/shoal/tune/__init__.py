"""Tuning: finding the recipe. Samplers and pruners stand on Optuna and need nothing else here."""
