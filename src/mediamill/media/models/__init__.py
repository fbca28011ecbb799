"""Models that run here, with ONNX Runtime: captioners (encoder and decoder) and classifiers."""
