"""The model as others run it: SavedModel signatures and the proof that they give the run's outputs."""
