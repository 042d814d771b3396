"""The five LivePortrait networks, with the official tensor names (arXiv 2407.03168)."""
