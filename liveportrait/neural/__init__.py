"""The LivePortrait networks behind the renderer interface of the server."""
