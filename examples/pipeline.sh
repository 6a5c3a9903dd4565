#!/usr/bin/env bash
# Features of every video below a folder, and a table of what became of each; fails if one failed.
# Usage: bash examples/pipeline.sh FOLDER OUT      (needs jq)
set -euo pipefail
find "$1" -type f \( -name '*.mp4' -o -name '*.mkv' -o -name '*.webm' \) |
  vidalign extract - -o "$2" --root "$1" --json |
  jq -r '[.status, .item, .clips // 0, .message // ""] | @tsv'
