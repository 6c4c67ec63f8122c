"""The models that can be measured, and the only place where torch, transformers and onnxruntime appear."""
