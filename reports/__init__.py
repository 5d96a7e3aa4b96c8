"""Plain arrays and records in, a folder of offline HTML pages out; knows no Keras, no runs, no commands."""
