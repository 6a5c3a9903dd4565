#!/bin/sh
# Features of every video below a folder, and a table of what became of each.
# Usage: sh examples/pipeline.sh FOLDER OUT      (needs jq)
set -eu
find "$1" -type f \( -name '*.mp4' -o -name '*.mkv' -o -name '*.webm' \) |
  vidalign extract - -o "$2" --root "$1" --json |
  jq -r '[.status, .item, .clips // 0, .message // ""] | @tsv'
