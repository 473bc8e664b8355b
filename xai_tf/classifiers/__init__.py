"""Any Keras model as a classifier of RGB in [0, 1] that ends in logits."""
