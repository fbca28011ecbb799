#!/bin/sh
# Makes the files in which compose.scaled.yaml has its passwords, each once; what is there stays.
#
# They lie in a folder that only its owner enters. The files can be read by whoever gets them: Compose
# mounts each into the containers that name it, in which nobody is that owner.
set -eu
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

random() { od -An -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }
# file, text
keep() {
  [ -e "$1" ] && return
  printf '%s\n' "$2" >"$1.new"
  chmod 444 "$1.new"
  mv "$1.new" "$1"
  echo "made $folder/$1"
}

keep database_password "$(random 24)"
keep link_secret "$(random 32)"
keep grafana_password "$(random 12)"
keep store_url "postgresql://mill:$(cat database_password)@postgresql/mediamill?sslmode=disable&allow_plaintext=true"
keep broker_url "nats://$(random 24)@nats:4222?allow_plaintext=true"
keep nats_conf "listen: 0.0.0.0:4222
http: 127.0.0.1:8222
authorization { token: \"$(sed 's|nats://||; s|@.*||' broker_url)\" }"
keep s3_credentials "[default]
aws_access_key_id = $(random 10)
aws_secret_access_key = $(random 24)"
id="$(sed -n 's/^aws_access_key_id = //p' s3_credentials)"
key="$(sed -n 's/^aws_secret_access_key = //p' s3_credentials)"
keep s3_identities "{\"identities\": [{\"name\": \"mill\", \"credentials\": [{\"accessKey\": \"$id\", \"secretKey\": \"$key\"}], \"actions\": [\"Admin\", \"Read\", \"Write\", \"List\", \"Tagging\"]}]}"
# As `mediamill secrets key` prints them: a name, and 32 bytes in base64.
keep sealing_keys "$(random 4):$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n')"
