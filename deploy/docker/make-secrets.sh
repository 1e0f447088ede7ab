#!/bin/sh
# Makes a random password for each secret of compose.yaml that has none yet, in deploy/docker/secrets.
# The folder is for you alone; its files are readable, since a container's user is another one than you.
set -eu
umask 077
folder=$(dirname "$0")/secrets
mkdir -p "$folder"
chmod 0700 "$folder"
for name in mariadb_root_password source_password destination_password grafana_admin_password; do
  [ -s "$folder/$name" ] || od -An -N 18 -t x1 /dev/urandom | tr -d ' \n' >"$folder/$name"
  chmod 0444 "$folder/$name"
done
