"""Keypoint algebra: from what the motion extractor sees to the keypoints that drive a picture."""
