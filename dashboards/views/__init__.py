"""What a visitor sees: each view draws one thing of the state."""
