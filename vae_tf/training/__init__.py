"""Finding the weights: plan, precision, weight average, state on disk and the loop itself."""
