"""Folds and cheeks that follow a smile: shading around the mouth that a warp cannot bring."""
