"""Numbers about latents (NumPy, SciPy, scikit-learn): projection, clustering, separation, interpolation."""
