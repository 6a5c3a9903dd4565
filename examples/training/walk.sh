#!/usr/bin/env bash
# Trains a small TAN on a drawn world and measures it, in a minute or two. Run it beside `examples`: it writes
# world/ and runs/.
set -euo pipefail
vidalign synth -o world/train --videos 600 --seed 1 --config examples/training/world.yaml --features-only
vidalign synth -o world/check --videos 8 --seed 2 --config examples/training/world.yaml --features-only
vidalign synth -o world/test --videos 5 --seed 3 --config examples/training/world.yaml
vidalign extract world/test/videos -o world/test/features
vidalign train examples/training/tan.yaml -o runs/tan
vidalign eval align world/test/truth.json --features world/test/features --model runs/tan/model --baseline times --subtitles world/test/subtitles
vidalign align world/test/videos/howto-3-0000.mp4 world/test/subtitles/howto-3-0000.vtt --model runs/tan/model -o runs/howto-3-0000.vtt
