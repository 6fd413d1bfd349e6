"""Advice that needs no fault: which rate, batch size, activation, initial weights and shape fit."""
