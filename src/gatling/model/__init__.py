"""The dual encoder: intent and plan embedded side by side, the predictor between them, and its training."""
