"""Train a classifier by transfer learning and publish it with its card."""
