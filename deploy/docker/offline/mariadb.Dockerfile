FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends mariadb-server && rm -rf /var/lib/apt/lists/* \
 && rm -rf /var/lib/mysql && install -d -o mysql -g mysql -m 0700 /var/lib/mysql && install -d -o mysql /run/mysqld \
 && sed -i 's/^bind-address/#&/' /etc/mysql/mariadb.conf.d/50-server.cnf
COPY mariadb.sh /usr/local/bin/start
COPY mariadb-healthcheck.sh /usr/local/bin/healthcheck.sh
RUN chmod 0755 /usr/local/bin/healthcheck.sh
USER mysql
ENTRYPOINT ["/bin/sh", "/usr/local/bin/start"]
