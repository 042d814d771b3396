"""What every stage shares: vocabulary, speech encoder, face landmarks, weights, device policy."""
