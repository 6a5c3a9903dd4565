"""The decoders' differentiable forms: batched, padded, in torch. Training uses them; decoding does not."""
