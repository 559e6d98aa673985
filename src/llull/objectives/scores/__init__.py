"""What an option's log-probabilities are worth."""
