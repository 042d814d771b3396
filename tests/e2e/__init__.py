"""Helpers of the browser tests: the real server, headless Chromium, a recorder in the page."""
