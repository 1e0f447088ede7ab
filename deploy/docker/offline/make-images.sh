#!/bin/sh
# Stand-ins for the images of compose.yaml, made of Debian's packages, for a machine that reaches no registry of
# images. Needs root, debootstrap and a Docker engine. Not for production: Postgres is Debian's, Prometheus
# too, and Grafana is a page that says what it would be given.
set -eu
cd "$(dirname "$0")"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates bookworm "$root"
tar -C "$root" -c . | docker import - debian:bookworm-slim
build() { docker build --network=host -f "$1.Dockerfile" -t "$2" .; }
build python python:3.11-slim-bookworm
build mariadb mariadb:10.11
build postgres postgres:17
build prometheus prom/prometheus:v2.53.0
build grafana grafana/grafana:11.1.0
