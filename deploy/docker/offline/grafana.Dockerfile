FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-yaml \
 && rm -rf /var/lib/apt/lists/* && install -d -o 472 -g 0 /var/lib/grafana
COPY grafana.py /grafana.py
USER 472:0
ENTRYPOINT ["python3", "/grafana.py"]
