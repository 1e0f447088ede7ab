# Starts MariaDB; at the first start makes what the environment names and runs /docker-entrypoint-initdb.d.
set -eu
case "${1:-}" in -*) ;; ?*) exec "$@" ;; esac
if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --skip-test-db >/dev/null
  {
    echo "FLUSH PRIVILEGES;"
    echo "CREATE USER 'root'@'%' IDENTIFIED BY '$(cat "$MARIADB_ROOT_PASSWORD_FILE")';"
    echo "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    echo "CREATE DATABASE \`$MARIADB_DATABASE\`;"
    echo "CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$(cat "$MARIADB_PASSWORD_FILE")';"
    echo "GRANT ALL ON \`$MARIADB_DATABASE\`.* TO '$MARIADB_USER'@'%';"
    cat /docker-entrypoint-initdb.d/*.sql
  } | mariadbd --bootstrap --skip-log-bin
fi
exec mariadbd "$@"
