"""Material that the studio ships."""
