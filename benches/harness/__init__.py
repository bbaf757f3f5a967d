"""Measures Tilde beside JAX, PyTorch and scikit-learn: `../run.py`."""
