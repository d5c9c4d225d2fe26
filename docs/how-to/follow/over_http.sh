#!/bin/sh
# Keep a department's events over HTTP: `sh over_http.sh URL FOLDER`.
# The token is in FEED_TOKEN. Each file of the folder is one answer, with its
# events and the cursor behind them: to rename it is to keep both. Needs curl.
set -eu
if [ $# != 2 ] || [ -z "${FEED_TOKEN:-}" ]; then
  echo "usage: FEED_TOKEN=… sh over_http.sh URL FOLDER" >&2
  exit 2
fi
address=$1 folder=$2
mkdir -p "$folder"

cursor_of() { sed 's/.*"cursor":"\([^"]*\)","more":.*/\1/' "$1"; }

cursor='' number=1
last=$(ls "$folder" | tail -n 1)               # names are numbers of one length
if [ -n "$last" ]; then
  cursor=$(cursor_of "$folder/$last")
  number=$(expr "${last%.json}" + 1)
fi
while :; do
  status=$(printf 'header = "Authorization: Bearer %s"\n' "$FEED_TOKEN" |
    curl --silent --config - --max-time 60 --output "$folder/.answer" \
      --write-out '%{http_code}' \
      "$address/api/handling/feed?wait=30${cursor:+&after=$cursor}") || status=000
  case $status in
    200) ;;
    4*) cat "$folder/.answer" >&2; exit 1 ;;   # 409: the record was restored
    *) sleep 1; continue ;;                    # amends is away, or starts again
  esac
  if grep -q '^{"events":\[\]' "$folder/.answer"; then
    continue                                   # nothing came
  fi
  mv "$folder/.answer" "$folder/$(printf '%09d' "$number").json"
  cursor=$(cursor_of "$folder/$(printf '%09d' "$number").json")
  number=$((number + 1))
done
