#!/usr/bin/env bash
# Trains a small backbone on drawn videos and measures it as an aligner by plain similarity. Run it beside
# `examples`: it writes pictures/ and runs/.
set -euo pipefail
vidalign synth -o pictures/train --videos 12 --seed 1 --config examples/training/pictures.yaml
vidalign synth -o pictures/test --videos 4 --seed 3 --config examples/training/pictures.yaml
vidalign train examples/training/backbone.yaml -o runs/backbone
vidalign extract pictures -o pictures/features --backbone runs/backbone/model
vidalign eval align pictures/test/truth.json --features pictures/features/test/videos --model runs/backbone/model
