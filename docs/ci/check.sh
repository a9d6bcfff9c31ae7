#!/bin/sh
# Exports a checkpoint, proves the bundle, and leaves the report in every form: for any CI that shows JUnit XML.
#
#   MODEL=models/albert-qa TASK=qa TARGETS="onnx tflite" BASELINE=main/report.json sh check.sh
#
# With ACCEPT=1 the baseline is not compared with: once, for a change that is meant to be worse, such as a larger file. Parity
# is still checked, and the new report.json is the baseline to keep.
#
# Exit code 0: every artifact passes; 1: one misses, or is worse than in BASELINE; 2: one could not be checked.
set -eu

MODEL=${MODEL:-albert-mini}       # a directory, a hub id, or a model of the package
TASK=${TASK:-question-answering}
TARGETS=${TARGETS:-onnx}          # separated by spaces
OUT=${OUT:-bundle}
REPORTS=${REPORTS:-reports}       # report.json, report.xml (JUnit), report.md, report.html
BASELINE=${BASELINE:-}            # the report.json of an earlier run on the same checkpoint; none for no comparison
ACCEPT=${ACCEPT:-0}

for target in $TARGETS; do
    # The proof comes once, for all targets together.
    albert-export "$target" --task "$TASK" --model "$MODEL" --out "$OUT" --no-parity --quiet
done

set -- "$OUT" --model "$MODEL" --report-dir "$REPORTS"
if [ "$ACCEPT" != 1 ] && [ -n "$BASELINE" ] && [ -f "$BASELINE" ]; then
    set -- "$@" --compare "$BASELINE"
fi
albert-export parity "$@"
