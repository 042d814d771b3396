"""Motion generators that others have published, each behind the common sampler and interface."""
