#!/bin/sh
# Hand a complaint in over HTTP: `sh over_http.sh URL complaint.json KEY`.
# The channel's token is in CHANNEL_TOKEN. Prints the receipt; asks again with the
# same key until amends has answered. Needs curl.
set -eu
if [ $# != 3 ] || [ -z "${CHANNEL_TOKEN:-}" ]; then
  echo "usage: CHANNEL_TOKEN=… sh over_http.sh URL COMPLAINT KEY" >&2
  exit 2
fi
address=$1 file=$2 key=$3
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
while :; do
  status=$(printf 'header = "Authorization: Bearer %s"\n' "$CHANNEL_TOKEN" |
    curl --silent --config - --max-time 60 --output "$answer" \
      --write-out '%{http_code}' --data-binary "@$file" \
      --header 'Content-Type: application/json' --header "Idempotency-Key: $key" \
      "$address/api/intake/complaints") || status=000
  case $status in
    2*) cat "$answer"; exit 0 ;;
    000 | 503) sleep 1 ;;                      # amends is away, or not certain
    *) cat "$answer" >&2; exit 1 ;;
  esac
done
