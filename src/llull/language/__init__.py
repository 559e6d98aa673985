"""Language models: tokens, prefix trees, log-probabilities, reference caches and sampling."""
