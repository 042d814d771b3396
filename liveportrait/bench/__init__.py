"""What each way of running the networks gains: the original against the optimised, step by step."""
