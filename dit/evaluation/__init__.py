"""How good generated motion is, on people who were never trained on: ``python -m dit evaluate``."""
