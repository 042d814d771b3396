"""Motion -> frames: renderers, source preparation, and the tools that make their weights."""
