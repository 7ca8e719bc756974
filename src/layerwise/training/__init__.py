"""Training: states, epochs, early stopping, history. It knows steps and rows, not layers."""
