#!/bin/sh
# Scores images by a server of TensorFlow Serving's REST protocol, with curl.
#
#   sh predict.sh http://127.0.0.1:8501 pneumonia a.png b.jpg
#
# Prints the server's JSON, one prediction for each image. CASEGATE_TOKEN holds the token, where
# one is needed.
set -eu
server=$1 model=$2
shift 2
{
  printf '{"instances":['
  comma=
  for image; do
    printf '%s{"b64":"' "$comma"
    base64 <"$image" | tr -d '\n'
    printf '"}'
    comma=,
  done
  printf ']}'
} | curl --silent --show-error --fail-with-body --max-time 30 \
  --header 'Content-Type: application/json' \
  ${CASEGATE_TOKEN:+--header "Authorization: Bearer $CASEGATE_TOKEN"} \
  --data-binary @- "$server/v1/models/$model:predict"
